"""What a step minimises: the triplet loss, of one version or of two, and, as the recipe says, a margin softmax and the
distance to a teacher's vectors."""

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facespace.training.distillation import distillation_loss
from facespace.training.harmonic import harmonic_loss
from facespace.training.losses import Outcome, triplet_loss
from facespace.training.margin_softmax import MarginSoftmax
from facespace.training.mining import Triplets, mine
from facespace.training.recipe import Recipe

NO_IDENTITY = -1


class Objective(nn.Module):
    """The recipe's terms in one call; a module because a margin softmax learns too.

    Args:
        recipe: weights of the terms.
        n_identities: of the training faces.
        teacher_means: unit rows, shape (n_identities, dim), where the margin softmax is `of_teacher`.
    """

    def __init__(self, recipe: Recipe, n_identities: int, *, teacher_means: Tensor | None = None) -> None:
        super().__init__()
        self.recipe, self.margin_softmax = recipe, None
        if (chosen := recipe.margin_softmax).weight:
            self.margin_softmax = MarginSoftmax(
                n_identities, recipe.dim, scale=chosen.scale, margin=chosen.margin, directions=teacher_means
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
        loss = embeddings.sum() * 0.0
        outcome = Outcome(loss)
        if self.recipe.mining.weight:
            outcome = self._triplet_loss(identified, labels[known], of_known, triplets, progress, generator)
            loss = loss + self.recipe.mining.weight * outcome.loss
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
                to_teacher = float((embeddings.detach() - targets).square().sum(1).mean())
                outcome = dataclasses.replace(outcome, teacher_dist=to_teacher)
        return dataclasses.replace(outcome, loss=loss)

    def _triplet_loss(
        self,
        embeddings: Tensor,
        labels: Tensor,
        old: Tensor | None,
        triplets: Triplets | None,
        progress: float,
        generator: torch.Generator | None,
    ) -> Outcome:
        options = self.recipe.mining.options_at(progress)
        if old is not None:
            harmonic = self.recipe.harmonic
            return harmonic_loss(
                embeddings, old, labels, combinations=harmonic.combinations, same_face=harmonic.same_face,
                generator=generator, **options,
            )  # fmt: skip
        if triplets is None:
            triplets = mine(embeddings.detach(), labels, generator=generator, **options)
        return triplet_loss(embeddings, triplets, margin=self.recipe.mining.margin)


def pairs_and_depth(labels: NDArray[np.int64]) -> tuple[int, float]:
    """Anchor-positive pairs of a batch, and the mean faces of the identities that have two or more there."""
    counts = np.bincount(labels[labels != NO_IDENTITY])
    several = counts[counts > 1]
    return int((several * (several - 1)).sum()), float(several.mean()) if len(several) else 0.0
