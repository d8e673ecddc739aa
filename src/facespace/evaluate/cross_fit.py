"""VAL at FAR with thresholds from other people: each half of the identities is judged by the other half's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facespace.evaluate.holdout import HoldoutFaces
from facespace.evaluate.resample import IdentityPairs, draw_weights, interval
from facespace.metrics.operating_point import MIN_FALSE_ACCEPTS

__all__ = ["CrossFitted", "cross_fit"]

N_DRAWS = 500


@dataclass(frozen=True)
class CrossFitted:
    """What thresholds give on people that they were not chosen on.

    Attributes:
        far: that each threshold was chosen for.
        tar: TAR (VAL), over the same pairs of both halves together.
        tar_interval: 95 %, identities of both halves resampled, thresholds chosen anew.
        far_met: the false-accept rate that the thresholds turned out to have.
        n_same: pairs of one person in both halves.
        n_diff: pairs of two persons of the same half.
    """

    far: float
    tar: float
    tar_interval: tuple[float, float]
    far_met: float
    n_same: int
    n_diff: int


def cross_fit(
    faces: HoldoutFaces, *, fars: Sequence[float] = (1e-2, 1e-3, 1e-4), n_draws: int = N_DRAWS
) -> list[CrossFitted]:
    """Judge every second identity (by name) at the distances of the others, and the other way round.

    A FAR that either half's pairs cannot support is left out.

    Raises:
        InputError: fewer than four identities, or too many to resample.
    """
    rows, labels = faces.embeddings, faces.labels
    edges = IdentityPairs.of(rows, labels).edges
    halves, weights = [], []
    for half in (0, 1):
        chosen = labels % 2 == half
        pairs = IdentityPairs.of(rows[chosen], labels[chosen] // 2, edges=edges)
        halves.append(pairs)
        weights.append(draw_weights(pairs.n_identities, n_draws, seed=half))
    least = min(float(half.n_diff.sum()) for half in halves)
    return [_at(far, halves, weights) for far in fars if least * far >= MIN_FALSE_ACCEPTS]


def _at(far: float, halves: list[IdentityPairs], weights: list[np.ndarray]) -> CrossFitted:
    steps = [half.step_at_far(weight, far) for half, weight in zip(halves, weights, strict=True)]
    judged = list(zip(halves, weights, reversed(steps), strict=True))
    same = np.stack([weight @ half.n_same for half, weight, _ in judged])
    accepted = np.stack([half.tar(weight, step) for half, weight, step in judged]) * same
    diff = [float(half.n_diff.sum()) for half in halves]
    false = [
        float(half.far(weight[:1], step[:1])[0]) * n
        for (half, weight, step), n in zip(judged, diff, strict=True)
    ]
    tar = accepted.sum(0) / same.sum(0)
    n_same, n_diff = int(same[:, 0].sum()), int(sum(diff))
    return CrossFitted(far, float(tar[0]), interval(tar[1:]), sum(false) / n_diff, n_same, n_diff)
