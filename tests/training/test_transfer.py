import pytest
import torch

from facespace.errors import DataError
from facespace.training.networks import build
from facespace.training.transfer import transfer


def network(name: str = "plain-residual", *, dim: int = 16, side: int = 64, seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build(name, dim=dim, input_hw=(side, side))


def test_equal_networks_become_the_same() -> None:
    a, b = network(seed=1), network(seed=2)
    assert transfer(a.state_dict(), b) == []
    assert all(
        torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


def test_a_pool_over_the_whole_map_is_stretched_and_keeps_its_sum() -> None:
    small, large = network(side=64), network(side=112, seed=1)
    assert transfer(small.state_dict(), large) == []
    kernel, stretched = small.pool[0].weight, large.pool[0].weight
    assert kernel.shape[2:] == (4, 4) and stretched.shape[2:] == (7, 7)
    torch.nn.init.ones_(small.pool[0].weight)
    transfer(small.state_dict(), large)
    assert torch.allclose(large.pool[0].weight.sum((2, 3)), torch.full((160, 1), 16.0))
    assert torch.equal(small.features[0].weight, large.features[0].weight)


def test_an_embedding_layer_of_another_dimension_stays_as_it_was() -> None:
    other = network(dim=24, seed=1)
    before = other.embedding.weight.clone()
    stayed = transfer(network(dim=16).state_dict(), other)
    assert "embedding.weight" in stayed and all(n.split(".")[0] in ("embedding", "spread") for n in stayed)
    assert torch.equal(other.embedding.weight, before)


@pytest.mark.parametrize("name", ["plain-residual-s", "nns2"])
def test_another_kind_of_network_is_refused(name: str) -> None:
    target = build(name, dim=16)
    with pytest.raises(DataError, match="of another network"):
        transfer(network().state_dict(), target)
