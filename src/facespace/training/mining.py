"""Online triplet mining (paper, section 3.2).

A miner takes (embeddings, labels, reference embeddings, reference labels) and returns index arrays: anchors
index the first pair, positives and negatives the reference. Mining a batch against itself passes nothing
more; an anchor is then never its own positive.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from facespace.errors import InputError

__all__ = ["Triplets", "distances", "mine_semi_hard"]

CHOICES = ("uniform", "nearest")


@dataclass(frozen=True)
class Triplets:
    """Index tensors of T triplets, each int64 of shape (T,), and how many pairs they came from.

    Attributes:
        anchor_idx: into the embeddings.
        positive_idx: into the reference embeddings.
        negative_idx: into the reference embeddings.
        n_pairs: all anchor-positive pairs of the batch, those without a negative included.
    """

    anchor_idx: Tensor
    positive_idx: Tensor
    negative_idx: Tensor
    n_pairs: int

    def __len__(self) -> int:
        return len(self.anchor_idx)


def distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared L2 of all rows of ``a`` (N, D) and ``b`` (M, D), unit length each: shape (N, M)."""
    return (2.0 - 2.0 * a @ b.T).clamp_min(0.0)


@torch.no_grad()
def mine_semi_hard(
    embeddings: Tensor,
    labels: Tensor,
    reference: Tensor | None = None,
    reference_labels: Tensor | None = None,
    *,
    margin: float = 0.2,
    negatives_per_pair: int = 1,
    choice: str = "uniform",
    generator: torch.Generator | None = None,
) -> Triplets:
    """All anchor-positive pairs, each with negatives where d_ap < d_an < d_ap + margin.

    Of a pair's semi-hard negatives ``negatives_per_pair`` are taken, or all where there are fewer. A pair
    that has none is left out: it is either solved (every negative is beyond the margin) or it only has hard
    negatives, which early on collapse the model (paper, section 3.2).

    Args:
        embeddings: float, shape (N, D), unit rows.
        labels: int, shape (N,).
        reference: float, shape (M, D); the embeddings themselves when absent.
        reference_labels: int, shape (M,).
        margin: on squared L2.
        negatives_per_pair: the paper draws one; more lower the variance at no cost in embedding.
        choice: "uniform", a draw without replacement; "nearest", those with the smallest d_an, which teach
            the most: many codes call only these semi-hard.
        generator: source of the draw.

    Raises:
        InputError: reference without its labels or the reverse, or another choice.
    """
    if choice not in CHOICES:
        raise InputError(f"choice: expected one of {', '.join(CHOICES)}, got '{choice}'")
    if (reference is None) != (reference_labels is None):
        raise InputError("expected reference embeddings together with their labels, got one of them")
    against_itself = reference is None
    if reference is None or reference_labels is None:
        reference, reference_labels = embeddings, labels
    distance = distances(embeddings, reference)
    same = labels[:, None] == reference_labels[None, :]
    positive = same.clone()
    if against_itself:
        positive.fill_diagonal_(False)
    anchor_idx, positive_idx = positive.nonzero(as_tuple=True)
    ap_dist = distance[anchor_idx, positive_idx][:, None]
    an_dist = distance[anchor_idx]
    semi_hard = (an_dist > ap_dist) & (an_dist < ap_dist + margin) & ~same[anchor_idx]
    if choice == "nearest":
        keys = 4.0 - an_dist
    else:
        keys = torch.rand(semi_hard.shape, generator=generator, device=semi_hard.device)
    pair_idx, negative_idx = _take(semi_hard, keys, negatives_per_pair)
    return Triplets(anchor_idx[pair_idx], positive_idx[pair_idx], negative_idx, len(anchor_idx))


def _take(candidates: Tensor, keys: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Of each row's true columns in (P, M) up to ``k`` with the largest keys: row and column indices."""
    if candidates.numel() == 0:
        nothing = torch.zeros(0, dtype=torch.long, device=candidates.device)
        return nothing, nothing
    keys = torch.where(candidates, keys, keys.new_tensor(-1.0))
    taken, columns = keys.topk(min(k, candidates.shape[1]), dim=1)
    rows, ranks = (taken >= 0).nonzero(as_tuple=True)
    return rows, columns[rows, ranks]
