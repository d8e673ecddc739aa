"""Training objectives on unit embeddings."""

from dataclasses import dataclass

import torch
from torch import Tensor

from facespace.training.mining import Triplets

__all__ = ["TripletLoss", "triplet_loss"]


@dataclass(frozen=True)
class TripletLoss:
    """A batch's triplet loss and what the health report shows of it.

    Attributes:
        loss: scalar with gradient.
        active: share of the anchor-positive pairs that found a negative.
        ap_dist: mean anchor-positive distance over the triplets (nan without triplets).
        an_dist: mean anchor-negative distance over the triplets.
    """

    loss: Tensor
    active: float
    ap_dist: float
    an_dist: float


def triplet_loss(
    embeddings: Tensor, triplets: Triplets, reference: Tensor | None = None, *, margin: float = 0.2
) -> TripletLoss:
    """Mean over the triplets of max(0, d_ap - d_an + margin), squared L2 (paper, equation 3).

    The paper sums; the mean has the same direction and leaves the learning rate independent of how many
    triplets a batch happens to hold.

    Args:
        embeddings: shape (N, D), unit rows.
        triplets: indices into ``embeddings`` and ``reference``.
        reference: shape (M, D); the embeddings themselves when absent.
        margin: on squared L2.
    """
    reference = embeddings if reference is None else reference
    if len(triplets) == 0:
        return TripletLoss((embeddings * 0.0).sum(), 0.0, float("nan"), float("nan"))
    anchor = embeddings[triplets.anchor_idx]
    ap_dist = (anchor - reference[triplets.positive_idx]).square().sum(1)
    an_dist = (anchor - reference[triplets.negative_idx]).square().sum(1)
    loss = torch.relu(ap_dist - an_dist + margin).mean()
    pairs_with = torch.unique(triplets.anchor_idx * len(reference) + triplets.positive_idx).numel()
    return TripletLoss(
        loss, pairs_with / triplets.n_pairs, float(ap_dist.detach().mean()), float(an_dist.detach().mean())
    )
