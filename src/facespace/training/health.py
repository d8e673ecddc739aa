"""What an epoch did, and when a run has to stop: a collapse, a standstill or a loss that is no number."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from facespace.errors import TrainingError

COLLAPSED_RANK = 2.0
NO_ACTIVE_PAIRS, NO_LOSS = 1e-3, 1e-3
# A standstill is so many epochs in which neither the loss nor the validation got better.
PATIENCE = 8
LEAST_FALL = 0.002


@dataclass(frozen=True)
class Epoch:
    """What one epoch did; a row of `epochs.csv`. Numbers of terms that a recipe leaves out are nan.

    Attributes:
        loss: mean over the steps.
        active: share of anchor-positive pairs with a negative that the rule allows.
        ap_dist: mean anchor-positive distance over the triplets.
        an_dist: mean anchor-negative distance over the triplets.
        teacher_dist: mean distance to the teacher's vectors.
        rank: effective rank of a batch's embeddings.
        grad_norm: mean length of the gradient before clipping.
        tar: VAL at FAR 1e-3 on the watched faces, with the averaged weights (nan without such faces).
        faces_per_identity: mean over the identities with two faces or more in a batch.
        pairs: anchor-positive pairs a batch.
        faces_per_second: of this process.
        mixed_tar: as `tar`, of the watched faces by this network against the same faces by an older version (nan
            without one).
    """

    epoch: int
    loss: float
    active: float
    ap_dist: float
    an_dist: float
    teacher_dist: float
    rank: float
    grad_norm: float
    learning_rate: float
    tar: float
    faces_per_identity: float
    pairs: float
    faces_per_second: float
    seconds: float
    mixed_tar: float = math.nan

    def line(self) -> str:
        """The epoch in a line, without what does not apply."""
        parts = [
            f"loss {self.loss:.4f}",
            f"active pairs {100 * self.active:.0f} %",
            f"d_ap {self.ap_dist:.3f}",
            f"d_an {self.an_dist:.3f}",
            f"to teacher {self.teacher_dist:.3f}",
            f"rank {self.rank:.1f}",
            f"gradient {self.grad_norm:.2f}",
            f"VAL@FAR=1e-3 {100 * self.tar:.2f} %",
            f"against the old version {100 * self.mixed_tar:.2f} %",
            f"{self.faces_per_identity:.1f} faces an identity",
            f"{self.pairs:.0f} pairs a batch",
            f"{self.faces_per_second:.0f} faces/s",
        ]
        return f"epoch {self.epoch}: " + ", ".join(part for part in parts if " nan" not in part)


def effective_rank(embeddings: Tensor) -> float:
    """exp(entropy) of the normalised spectrum of the covariance of (N, D) embeddings: 1 when collapsed."""
    spectrum = torch.linalg.svdvals((embeddings - embeddings.mean(0)).double()).square()
    share = spectrum / spectrum.sum().clamp_min(1e-30)
    return float(torch.exp(-(share * share.clamp_min(1e-30).log()).sum()))


def check_loss(step: int, loss: float, grad_norm: float) -> None:
    """Refuse to go on from a loss or a gradient that is no number.

    Raises:
        TrainingError: with the remedy.
    """
    if not (math.isfinite(loss) and math.isfinite(grad_norm)):
        raise TrainingError(
            f"step {step}: the loss is {loss} and the gradient's length {grad_norm}, expected finite numbers; lower "
            "optimiser.learning_rate or raise optimiser.warmup, then go on from the last checkpoint with --resume"
        )


def check_health(epochs: Sequence[Epoch]) -> None:
    """Stop a run that no longer learns.

    Raises:
        TrainingError: the embeddings collapsed, no pair has a negative left, or nothing got better for long.
    """
    last = epochs[-1]
    if last.rank < COLLAPSED_RANK:
        raise TrainingError(
            f"epoch {last.epoch}: the embeddings collapsed (effective rank {last.rank:.1f}, expected more than "
            f"{COLLAPSED_RANK:.0f}); begin with mining.rule semi-hard instead of hard, lower "
            "optimiser.learning_rate or raise batches.batch_size"
        )
    if last.active < NO_ACTIVE_PAIRS and last.loss < NO_LOSS:
        raise TrainingError(
            f"epoch {last.epoch}: {100 * last.active:.2f} % of the pairs have a negative that mining.rule allows, "
            "nothing is left to learn from; raise mining.margin, batches.batch_size or take mining.rule one-sided"
        )
    if len(epochs) > PATIENCE and not _better(epochs):
        raise TrainingError(
            f"epoch {last.epoch}: for {PATIENCE} epochs neither the loss ({last.loss:.4f}) nor VAL "
            f"({100 * last.tar:.2f} %) got better: a standstill; check that folders are identities, and change "
            "optimiser.learning_rate"
        )


def _better(epochs: Sequence[Epoch]) -> bool:
    before, recent = epochs[:-PATIENCE], epochs[-PATIENCE:]
    loss_fell = min(e.loss for e in recent) < min(e.loss for e in before) * (1.0 - LEAST_FALL)
    tars = [e.tar for e in before if not math.isnan(e.tar)]
    val_rose = bool(tars) and max(e.tar for e in recent) > max(tars) * (1.0 + LEAST_FALL)
    return loss_fell or val_rose
