"""The triplet loss, and what a step reports."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from facespace.training.mining import Triplets


@dataclass(frozen=True)
class Outcome:
    """A batch's loss, and what the health report shows of it (nan where a term is left out).

    Attributes:
        loss: scalar with gradient.
        active: share of the anchor-positive pairs that found a negative.
        ap_dist: mean anchor-positive distance over the triplets (nan without triplets).
        an_dist: mean anchor-negative distance over the triplets.
        teacher_dist: mean distance to the teacher's vectors.
    """

    loss: Tensor
    active: float = math.nan
    ap_dist: float = math.nan
    an_dist: float = math.nan
    teacher_dist: float = math.nan


def triplet_loss(embeddings: Tensor, triplets: Triplets, *, margin: float = 0.2) -> Outcome:
    """Mean over the triplets of max(0, d_ap - d_an + margin), squared L2 (paper, equation 3).

    The paper sums; the mean has the same direction and leaves the learning rate independent of how many
    triplets a batch happens to hold.

    Args:
        embeddings: shape (N, D), unit rows.
        triplets: indices into ``embeddings``.
        margin: on squared L2.
    """
    if len(triplets) == 0:
        return Outcome((embeddings * 0.0).sum(), 0.0)
    anchor = embeddings[triplets.anchor_idx]
    ap_dist = (anchor - embeddings[triplets.positive_idx]).square().sum(1)
    an_dist = (anchor - embeddings[triplets.negative_idx]).square().sum(1)
    loss = torch.relu(ap_dist - an_dist + margin).mean()
    pairs_with = torch.unique(triplets.anchor_idx * len(embeddings) + triplets.positive_idx).numel()
    return Outcome(
        loss, pairs_with / triplets.n_pairs, float(ap_dist.detach().mean()), float(an_dist.detach().mean())
    )
