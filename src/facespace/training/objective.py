"""What a step lowers: the triplet loss, of one version or of two, and beside it, by choice, a margin softmax and a
teacher's vectors."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facespace.training.distillation import distillation_loss
from facespace.training.harmonic import HarmonicMiner, harmonic_loss
from facespace.training.losses import TripletLoss, triplet_loss
from facespace.training.margin_softmax import MarginSoftmax
from facespace.training.mining import Triplets, mine
from facespace.training.recipe import Mining, Recipe

__all__ = ["Objective", "Outcome", "stage_of"]

NO_IDENTITY = -1


@dataclass(frozen=True)
class Outcome:
    """A batch's loss with gradient, and what the health report shows of it (nan where a term is left out).

    Attributes:
        loss: scalar.
        active: share of the anchor-positive pairs that found a negative.
        ap_dist: mean anchor-positive distance over the triplets.
        an_dist: mean anchor-negative distance over the triplets.
        teacher_dist: mean distance to the teacher's vectors.
    """

    loss: Tensor
    active: float = math.nan
    ap_dist: float = math.nan
    an_dist: float = math.nan
    teacher_dist: float = math.nan


class Objective(nn.Module):
    """The recipe's terms in one call; a module because a margin softmax learns too.

    Args:
        recipe: weights of the terms.
        n_identities: of the training faces.
        teacher_means: unit rows, shape (n_identities, dim), where the margin softmax is `of_teacher`.
    """

    def __init__(self, recipe: Recipe, n_identities: int, *, teacher_means: Tensor | None = None) -> None:
        super().__init__()
        self.recipe = recipe
        chosen = recipe.margin_softmax
        self.margin_softmax = (
            MarginSoftmax(
                n_identities,
                recipe.dim,
                scale=chosen.scale,
                margin=chosen.margin,
                directions=teacher_means if chosen.of_teacher else None,
            )
            if chosen.weight
            else None
        )

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        *,
        targets: Tensor | None = None,
        old: Tensor | None = None,
        triplets: Triplets | None = None,
        progress: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> Outcome:
        """The loss of one batch.

        Args:
            embeddings: unit rows, shape (N, D).
            labels: shape (N,); NO_IDENTITY where a picture shows nobody in particular.
            targets: the teacher's unit rows, shape (N, D).
            old: the older version's unit rows, shape (N, D), of a harmonic run.
            triplets: to use in place of mining the batch.
            progress: part of the run that is done, for a curriculum.
            generator: of the miner's draws.
        """
        known = (labels != NO_IDENTITY).nonzero()[:, 0]
        identified, of_known = embeddings[known], None if old is None else old[known]
        loss, numbers = embeddings.sum() * 0.0, {}
        if self.recipe.mining.weight:
            result = self._triplet_loss(identified, labels[known], of_known, triplets, progress, generator)
            loss = loss + self.recipe.mining.weight * result.loss
            numbers = {"active": result.active, "ap_dist": result.ap_dist, "an_dist": result.an_dist}
        if of_known is not None and self.recipe.harmonic.vectors:
            loss = loss + distillation_loss(identified, of_known, vectors=self.recipe.harmonic.vectors)
        if self.margin_softmax is not None:
            term = self.margin_softmax(identified, labels[known])
            loss = loss + self.recipe.margin_softmax.weight * term
        if targets is not None:
            chosen = self.recipe.distillation
            loss = loss + chosen.weight * distillation_loss(
                embeddings, targets, vectors=chosen.vectors, relations=chosen.relations
            )
            if chosen.vectors:
                numbers["teacher_dist"] = float((embeddings.detach() - targets).square().sum(1).mean())
        return Outcome(loss, **numbers)

    def _triplet_loss(
        self,
        embeddings: Tensor,
        labels: Tensor,
        old: Tensor | None,
        triplets: Triplets | None,
        progress: float,
        generator: torch.Generator | None,
    ) -> TripletLoss:
        mining, harmonic = self.recipe.mining, self.recipe.harmonic
        rule, pairs = stage_of(mining, progress)
        options: dict[str, Any] = {
            "margin": mining.margin,
            "rule": rule,
            "pairs": pairs,
            "negatives_per_pair": mining.negatives_per_pair,
            "choice": mining.choice,
        }
        if old is not None:
            miner = HarmonicMiner(harmonic.combinations, harmonic.same_face, **options)
            return harmonic_loss(embeddings, old, labels, miner, generator)
        if triplets is None:
            triplets = mine(embeddings.detach(), labels, generator=generator, **options)
        return triplet_loss(embeddings, triplets, margin=mining.margin)


def stage_of(mining: Mining, progress: float) -> tuple[str, str]:
    """The rule and the kind of pairs at a part of the run: those of the curriculum while it lasts."""
    for stage in mining.curriculum:
        if progress < stage.until:
            return stage.rule, stage.pairs
    return mining.rule, mining.pairs


def pairs_and_hands(labels: NDArray[np.int64]) -> tuple[int, float]:
    """Anchor-positive pairs of a batch, and the mean faces of the identities that have two or more there."""
    counts = np.bincount(labels[labels != NO_IDENTITY])
    several = counts[counts > 1]
    return int((several * (several - 1)).sum()), float(several.mean()) if len(several) else 0.0
