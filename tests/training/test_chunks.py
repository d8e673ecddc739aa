import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from facespace.training.chunks import backward_in_chunks, kept_statistics
from facespace.training.losses import triplet_loss
from facespace.training.mining import mine
from facespace.training.networks import build

LABELS = torch.arange(24) // 4


def pictures() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(size=(24, 3, 48, 48))).float()


def objective(embeddings: torch.Tensor) -> tuple[torch.Tensor, int]:
    triplets = mine(embeddings.detach(), LABELS, rule="one-sided", generator=torch.Generator().manual_seed(0))
    return triplet_loss(embeddings, triplets).loss, len(triplets)


def gradients(network: nn.Module, size: int) -> tuple[list[torch.Tensor], torch.Tensor, int]:
    network.zero_grad()
    images = pictures()

    def embed(i: int) -> torch.Tensor:
        torch.manual_seed(i)
        return F.normalize(network(images[i * size : (i + 1) * size]), dim=1)

    embeddings, count = backward_in_chunks(network, embed, -(-24 // size), objective)
    return [p.grad.clone() for p in network.parameters() if p.grad is not None], embeddings, count


@pytest.mark.parametrize("size", [1, 5, 8, 23])
def test_chunks_leave_the_gradient_of_one_piece_with_frozen_norms(size: int) -> None:
    torch.manual_seed(0)
    network = build("plain-residual", dim=16, input_hw=(48, 48)).eval()
    whole, embeddings, count = gradients(network, 24)
    parts, same_embeddings, same_count = gradients(network, size)
    assert count == same_count > 0
    assert torch.allclose(embeddings, same_embeddings, atol=1e-6)
    assert len(whole) == len(parts) > 5
    for a, b in zip(whole, parts, strict=True):
        assert (a - b).abs().max() <= 1e-5 * max(1.0, float(a.abs().max()))


def test_dropout_is_drawn_the_same_both_times() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(3 * 48 * 48, 16), nn.Dropout(0.5), nn.Linear(16, 8)
    ).train()
    seen = []
    network[2].register_forward_hook(lambda m, i, o: seen.append(o.detach().clone()))
    gradients(network, 12)
    assert len(seen) == 4
    assert torch.equal(seen[0], seen[2]) and torch.equal(seen[1], seen[3])
    assert not torch.equal(seen[0], seen[1])


def test_running_averages_move_once_a_chunk() -> None:
    torch.manual_seed(0)
    network = build("plain-residual", dim=16, input_hw=(48, 48)).train()
    expected = build("plain-residual", dim=16, input_hw=(48, 48)).train()
    expected.load_state_dict(network.state_dict())
    for part in pictures().split(8):
        expected(part)
    gradients(network, 8)
    for (name, a), b in zip(network.named_buffers(), expected.buffers(), strict=True):
        if "num_batches" not in name:
            assert torch.allclose(a, b, atol=1e-6), name


def test_momenta_come_back_after_an_error() -> None:
    network = build("plain-residual", dim=16, input_hw=(48, 48))
    before = [m.momentum for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    with pytest.raises(ZeroDivisionError), kept_statistics(network):
        raise ZeroDivisionError
    assert before == [m.momentum for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
