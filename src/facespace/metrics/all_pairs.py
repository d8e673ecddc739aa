"""VAL and FAR over all pairs (paper, section 4) without ever holding N x N.

Distances are counted on a grid of 2**18 steps over [0, 4]. A figure read from the grid lies below the exact one by at
most the same-person pairs of one step, and says so (`OperatingPoint.tar_high`); `all_pairs` looks at that step's pairs
one by one and is exact to the pair.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.metrics.near_pairs import NearPairs, gather
from facespace.metrics.operating_point import MIN_FALSE_ACCEPTS, OperatingPoint, supported
from facespace.metrics.pair_blocks import (
    N_PLACES,
    N_STEPS,
    STEPS_PER_UNIT,
    PairBlock,
    SortedPairs,
    map_blocks,
    places,
    sort_pairs,
    steps_of,
)

# Of a curve to be drawn.
POINTS_PER_DECADE = 12
LOWEST_FAR = 1e-6


@dataclass(frozen=True)
class PairCounts:
    """How many pairs lie in each step of the grid: step k holds distances in (k - 1, k] / STEPS_PER_UNIT."""

    same: NDArray[np.int64]  # int64, shape (N_STEPS + 1,), pairs of one person
    diff: NDArray[np.int64]  # int64, shape (N_STEPS + 1,), pairs of two persons

    @property
    def n_same(self) -> int:
        """Pairs of one person."""
        return int(self.same.sum())

    @property
    def n_diff(self) -> int:
        """Pairs of two persons."""
        return int(self.diff.sum())

    def __add__(self, other: "PairCounts") -> "PairCounts":
        return PairCounts(self.same + other.same, self.diff + other.diff)

    def tar_at_far(self, far: float) -> OperatingPoint:
        """TAR at the largest step whose FAR is at most ``far``."""
        n_same, n_diff = self.n_same, self.n_diff
        if refusal := supported(far, n_same, n_diff):
            return refusal
        first_refused = self._first_refused(far)
        high = float(self.same[: first_refused + 1].sum() / n_same)
        step = self._last_occupied(first_refused)
        if step < 0:
            return OperatingPoint(far, 0.0, 0.0, 0.0, n_same, n_diff, tar_high=high)
        tar, far_met = self.same[: step + 1].sum() / n_same, self.diff[: step + 1].sum() / n_diff
        return OperatingPoint(
            far, float(tar), step / STEPS_PER_UNIT, float(far_met), n_same, n_diff, tar_high=high
        )

    def roc(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """far, tar and threshold at each step that holds a pair, each shape (K,), all rising.

        A rate without any pair behind it is 0.
        """
        steps = np.flatnonzero(self.same + self.diff)
        far = np.cumsum(self.diff)[steps] / max(1, self.n_diff)
        tar = np.cumsum(self.same)[steps] / max(1, self.n_same)
        return far, tar, steps / STEPS_PER_UNIT

    def curve(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """FAR and TAR at rates evenly spaced on a log axis, from the lowest with ten false accepts behind it to 1."""
        if not self.n_same or not self.n_diff:
            return (), ()
        lowest = max(LOWEST_FAR, MIN_FALSE_ACCEPTS / self.n_diff)
        n = int(-np.log10(lowest) * POINTS_PER_DECADE)
        rates = 10.0 ** (
            -np.arange(n, -1, -1) / POINTS_PER_DECADE
        )  # round rates, such as 1e-3, are among them
        points = [(rate, self.tar_at_far(rate).tar) for rate in rates.tolist()]
        known = [(rate, float(tar)) for rate, tar in points if tar is not None]
        return tuple(far for far, _ in known), tuple(tar for _, tar in known)

    def distance_at(self, far: float) -> float:
        """The largest step of the grid whose FAR is at most ``far``, whatever its same-person pairs."""
        return max(0, self._first_refused(far) - 1) / STEPS_PER_UNIT

    def accepted(self, threshold: float) -> tuple[int, int]:
        """Pairs of one person and of two up to the step that holds ``threshold``."""
        end = int(np.clip(np.ceil(threshold * STEPS_PER_UNIT), 0, N_STEPS)) + 1
        return int(self.same[:end].sum()), int(self.diff[:end].sum())

    def near(self, threshold: float) -> int:
        """All pairs up to the step that holds ``threshold``."""
        return sum(self.accepted(threshold))

    def _first_refused(self, far: float) -> int:
        """The first step whose pairs would take the FAR above ``far``; N_STEPS + 1 where none would."""
        return int(np.searchsorted(np.cumsum(self.diff), _allowed(far, self.n_diff), side="right"))

    def _last_occupied(self, before: int) -> int:
        """The last step below ``before`` that holds a pair, or -1: a threshold is a distance that was seen."""
        occupied = np.flatnonzero(self.same[:before] + self.diff[:before])
        return int(occupied[-1]) if len(occupied) else -1


def all_pairs(
    embeddings: NDArray[np.float32] | NDArray[np.int8],
    labels: NDArray[np.int64],
    other: NDArray[np.float32] | NDArray[np.int8] | None = None,
    other_labels: NDArray[np.int64] | None = None,
    *,
    fars: Sequence[float] = (1e-3,),
) -> list[OperatingPoint]:
    """TAR at each FAR, exact to the pair, over A x A (all pairs i < j of one set) or over A x B.

    Args:
        embeddings: unit rows, shape (N, D), or byte templates (int8), whose directions are compared.
        labels: identities, shape (N,).
        other: a second, disjoint set, shape (M, D).
        other_labels: its identities, shape (M,).
        fars: the rates asked for.

    Raises:
        InputError: other shapes or rows that are not of unit length.
    """
    pairs = sort_pairs(embeddings, labels, other, other_labels)
    return exact_points(pairs, count_sorted(pairs), fars)


def count_pairs(
    embeddings: NDArray[np.float32] | NDArray[np.int8],
    labels: NDArray[np.int64],
    other: NDArray[np.float32] | NDArray[np.int8] | None = None,
    other_labels: NDArray[np.int64] | None = None,
) -> PairCounts:
    """Count the distances of A x A (i < j), or of A x B when a second set is given, block by block.

    Raises:
        InputError: other shapes or rows that are not of unit length.
    """
    return count_sorted(sort_pairs(embeddings, labels, other, other_labels))


def count_mixed_pairs(
    embeddings: NDArray[np.float32], other: NDArray[np.float32], labels: NDArray[np.int64]
) -> PairCounts:
    """Count the distances of each face by one model to all other faces by another model; i to j and j to i.

    Args:
        embeddings: unit rows of the one model, shape (N, D).
        other: unit rows of the other for the same faces, shape (N, D).
        labels: identities, shape (N,).

    Raises:
        InputError: other shapes or rows that are not of unit length.
    """
    if len(embeddings) != len(other):
        raise InputError(
            f"expected two models' rows of the same faces, got {len(embeddings)} and {len(other)}"
        )
    pairs = sort_pairs(embeddings, labels, other, labels)
    return count_sorted(dataclasses.replace(pairs, same_faces=True))


def exact_points(pairs: SortedPairs, counts: PairCounts, fars: Sequence[float]) -> list[OperatingPoint]:
    """TAR at each FAR, exact to the pair.

    The grid tells in which step the first refused pair lies; a second pass over the products gathers the pairs of
    that step and its neighbours, and orders them by their distances in double precision. A single-precision product is
    wrong by far less than a step, so that pairs two steps away are on the right side for certain.
    """
    points = [counts.tar_at_far(far) for far in fars]
    windows = {point.far: _window(counts, point.far) for point in points if point.tar is not None}
    if not windows:
        return points
    near = gather(pairs, list(windows.values()))
    return [_exact(counts, near, p, windows[p.far]) if p.far in windows else p for p in points]


def _window(counts: PairCounts, far: float) -> tuple[int, int]:
    """First and last step to look at: from below the last accepted pair to above the first refused one."""
    refused = counts._first_refused(far)
    occupied = counts._last_occupied(refused)
    return max(0, min(occupied, refused - 1)), min(refused + 1, N_STEPS)


def _exact(
    counts: PairCounts, near: NearPairs, point: OperatingPoint, window: tuple[int, int]
) -> OperatingPoint:
    low, high = window
    inside = (near.step >= low) & (near.step <= high)
    distance, same = near.distance[inside], near.same[inside]
    n_same, n_diff = int(counts.same[:low].sum()), int(counts.diff[:low].sum())
    # Pairs of one distance go together: all that are nearer than the first refused one are accepted.
    others = np.sort(distance[~same])
    left = _allowed(point.far, point.n_diff) - n_diff
    first_refused = others[left] if left < len(others) else np.inf
    accepted = distance < first_refused
    threshold = float(distance[accepted].max()) if accepted.any() else max(0, low - 1) / STEPS_PER_UNIT
    tar = (n_same + int((accepted & same).sum())) / point.n_same
    far_met = (n_diff + int((accepted & ~same).sum())) / point.n_diff
    return OperatingPoint(point.far, tar, threshold, far_met, point.n_same, point.n_diff, tar_high=tar)


def _allowed(far: float, n_diff: int) -> int:
    return int(far * n_diff + 1e-9)


def count_sorted(pairs: SortedPairs) -> PairCounts:
    """As `count_pairs`, of sets that are sorted already."""
    same, every = np.zeros(N_PLACES, np.int64), np.zeros(N_PLACES, np.int64)
    for one_person, all_of_them in map_blocks(pairs, _count_block):
        same[: len(one_person)] += one_person
        every[: len(all_of_them)] += all_of_them
    same, every = _on_the_grid(same), _on_the_grid(every)
    return PairCounts(same, every - same)


def _count_block(block: PairBlock) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    place = places(block.cosines).ravel()
    return np.bincount(place[block.same]), np.bincount(place)


def _on_the_grid(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Counts by place to counts by step; place 0 holds what is no pair."""
    steps = steps_of(np.arange(1, N_PLACES))
    return np.bincount(steps, weights=counts[1:], minlength=N_STEPS + 1).astype(np.int64)
