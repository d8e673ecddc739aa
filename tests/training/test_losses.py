import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from facespace.training.losses import triplet_loss
from facespace.training.mining import Triplets, mine


def test_no_triplets_give_zero_loss_that_still_has_a_gradient() -> None:
    embeddings = torch.eye(3, requires_grad=True)
    nothing = torch.zeros(0, dtype=torch.long)
    result = triplet_loss(embeddings, Triplets(nothing, nothing, nothing, 0))
    result.loss.backward()
    assert result.loss.item() == 0 and result.active == 0 and math.isnan(result.ap_dist)
    assert embeddings.grad is not None and not embeddings.grad.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_loss_is_that_of_a_plain_loop(rng: np.random.Generator, dtype: torch.dtype) -> None:
    embeddings = F.normalize(torch.from_numpy(rng.normal(size=(24, 8))).to(dtype), dim=1)
    labels = torch.from_numpy(rng.integers(0, 5, 24))
    triplets = mine(embeddings, labels, margin=0.2, negatives_per_pair=24)
    terms = []
    for a, p, n in zip(triplets.anchor_idx, triplets.positive_idx, triplets.negative_idx, strict=True):
        d_ap = (embeddings[a] - embeddings[p]).pow(2).sum()
        d_an = (embeddings[a] - embeddings[n]).pow(2).sum()
        terms.append(max(0.0, float(d_ap - d_an) + 0.2))
    assert len(terms) > 20
    assert triplet_loss(embeddings, triplets, margin=0.2).loss.item() == pytest.approx(
        np.mean(terms), rel=1e-5
    )


def test_gradient_by_differences(rng: np.random.Generator) -> None:
    embeddings = torch.from_numpy(rng.normal(size=(6, 3))).requires_grad_()
    index = torch.tensor([0, 1, 2])
    triplets = Triplets(index, index + 1, index + 3, 3)
    assert torch.autograd.gradcheck(lambda e: triplet_loss(e, triplets, margin=9.0).loss, (embeddings,))


def test_a_margin_met_exactly_costs_nothing() -> None:
    embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    one = Triplets(torch.tensor([0]), torch.tensor([1]), torch.tensor([2]), 1)
    assert triplet_loss(embeddings, one, margin=4.0).loss.item() == 0
    assert triplet_loss(embeddings, one, margin=4.5).loss.item() == pytest.approx(0.5)
