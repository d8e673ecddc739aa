"""VAL at FAR with thresholds from other people: each half of the identities is judged by the other half's."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.measure.faces import EmbeddedFaces
from facespace.metrics import all_pairs, near_pairs
from facespace.metrics.resampling import draw_identities, interval_of
from facespace.metrics.tar_intervals import threshold_draws

N_DRAWS = 500


@dataclass(frozen=True)
class CrossFitted:
    """What thresholds give on people that they were not chosen on.

    Attributes:
        far: that each threshold was chosen for.
        tar: TAR (VAL), over the same pairs of both halves together.
        tar_interval: 95 %, identities of both halves resampled, thresholds chosen again.
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
    faces: EmbeddedFaces, *, fars: Sequence[float] = (1e-2, 1e-3, 1e-4), n_draws: int = N_DRAWS
) -> list[CrossFitted]:
    """Judge every second identity (by name) at the distances of the others, and the other way round.

    A FAR that either half's pairs cannot support is left out.

    Raises:
        InputError: fewer than four identities, or rows that are not of unit length.
    """
    halves = [(faces.embeddings[faces.labels % 2 == k], faces.labels[faces.labels % 2 == k]) for k in (0, 1)]
    found = (_at(far, halves, n_draws) for far in fars)
    return [fitted for fitted in found if fitted is not None]


_Half = tuple[NDArray[np.float32], NDArray[np.int64]]


def _at(far: float, halves: list[_Half], n_draws: int) -> CrossFitted | None:
    points = [all_pairs(*half, fars=(far,))[0] for half in halves]
    chosen = [threshold_draws(*half, far=far, n_draws=n_draws, seed=seed) for seed, half in enumerate(halves)]
    if any(point.threshold is None for point in points) or any(draws is None for draws in chosen):
        return None
    accepted, false, same = 0, 0, np.zeros((2, n_draws))
    for k, half in enumerate(halves):
        own, of_draws = points[1 - k].threshold or 0.0, chosen[1 - k]
        assert of_draws is not None
        hits, false_accepts, drawn = _judge(half, own, of_draws, seed=k)
        accepted, false, same = accepted + hits, false + false_accepts, same + drawn
    n_same, n_diff = sum(point.n_same for point in points), sum(point.n_diff for point in points)
    tars = interval_of(
        same[0] / np.maximum(same[1], 1e-12), sum(len(np.unique(labels)) for _, labels in halves)
    )
    assert tars is not None
    return CrossFitted(far, accepted / n_same, (tars.low, tars.high), false / n_diff, n_same, n_diff)


def _judge(
    half: _Half, threshold: float, of_draws: NDArray[np.float64], *, seed: int
) -> tuple[int, int, NDArray[np.float64]]:
    """Same and different pairs accepted; and in each draw the same pairs accepted and in all, (2, B)."""
    rows, labels = half
    people, number, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    near = near_pairs(rows, labels, limit=float(max(threshold, of_draws.max())))
    inside = near.distance <= threshold
    draws = draw_identities(len(people), n_draws=len(of_draws), seed=seed)
    distance, person = near.distance[near.same], number[near.row[near.same]]
    accepted = [draw[person[distance <= limit]].sum() for draw, limit in zip(draws.T, of_draws, strict=True)]
    in_all = (sizes * (sizes - 1) // 2) @ draws
    return int((inside & near.same).sum()), int((inside & ~near.same).sum()), np.array([accepted, in_all])
