"""Intervals of VAL (TAR) at FAR over all pairs, from the nearest pairs alone: no draw looks at all pairs again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.metrics.all_pairs import PairCounts, count_pairs
from facespace.metrics.near_pairs import NearPairs, near_pairs
from facespace.metrics.resampling import (
    LEVEL,
    N_DRAWS,
    PAIRS_PER_CHUNK,
    Interval,
    draw_identities,
    interval_of,
    ratio,
    weights_of,
)

# A draw seeks its threshold among this many distances at most: a FAR is then met to a part in 500.
N_LEVELS = 2000
# Draws look for it up to where the whole set has this many times the FAR, and farther where that is short.
REACH = 4.0
MOST_NEAR_PAIRS = 10_000_000


@dataclass(frozen=True)
class RateIntervals:
    """Rates at a fixed threshold, with intervals; None where there are no such pairs."""

    tar: float | None  # share of the same-person pairs accepted
    tar_interval: Interval | None  # over draws of identities
    far: float | None  # share of the pairs of two people accepted
    far_interval: Interval | None  # likewise
    n_same: int  # pairs of one person
    n_diff: int  # pairs of two people


def tar_interval(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    other: NDArray[np.float32] | None = None,
    other_labels: NDArray[np.int64] | None = None,
    *,
    far: float,
    level: float = LEVEL,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> Interval | None:
    """Interval of TAR at ``far`` over A x A or A x B; each draw of identities seeks its own threshold.

    None where the pairs do not support the FAR, or are so many that disjoint splits serve better.

    Raises:
        InputError: as for `facespace.metrics.all_pairs`.
    """
    values = tar_draws(embeddings, labels, other, other_labels, far=far, n_draws=n_draws, seed=seed)
    n_identities = len(_People.of(labels, other_labels).n_first)
    return None if values is None else interval_of(values, n_identities, level=level)


def tar_draws(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    other: NDArray[np.float32] | None = None,
    other_labels: NDArray[np.int64] | None = None,
    *,
    far: float,
    n_draws: int = N_DRAWS,
    seed: int = 0,
    counts: PairCounts | None = None,
) -> NDArray[np.float64] | None:
    """TAR at ``far`` of each draw of identities, shape (B,); nan where a draw has no pairs of a kind.

    The draws depend on the number of identities and the seed alone, so that two models on the same faces meet the same
    ones. ``counts`` of the same pairs save a pass. None as for `tar_interval`.
    """
    drawn = _draw_tail(embeddings, labels, other, other_labels, far=far, draws=(n_draws, seed), counts=counts)
    if drawn is None:
        return None
    tail, people, draws, levels, at = drawn
    # A same-person pair nearer than the next level's distance is accepted with this one.
    level = np.searchsorted(levels, tail.distance[tail.same], side="right") - 1
    by_level = np.zeros((len(people.n_first), len(levels)))
    np.add.at(by_level, (people.first[tail.row[tail.same]], level), 1)
    cumulative = np.cumsum(by_level, 1)
    found = np.array([draw @ cumulative[:, k] for draw, k in zip(draws.T, at, strict=True)])
    return ratio(found, people.n_same @ draws)


def threshold_draws(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    far: float,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> NDArray[np.float64] | None:
    """The distance that ``far`` stands for in each draw of identities, over A x A, shape (B,); None as for `tar_draws`.

    It accepts all pairs below the first one that would be too many; infinity where nothing is.
    """
    drawn = _draw_tail(embeddings, labels, None, None, far=far, draws=(n_draws, seed), counts=None)
    if drawn is None:
        return None
    *_, levels, at = drawn
    return np.asarray(np.nextafter(np.append(levels, np.inf)[at + 1], -np.inf))


def rates_at(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    other: NDArray[np.float32] | None = None,
    other_labels: NDArray[np.int64] | None = None,
    *,
    threshold: float,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> RateIntervals:
    """TAR and FAR over A x A or A x B at a given threshold, with intervals that resample identities.

    Intervals are left out where more than `MOST_NEAR_PAIRS` pairs are accepted.

    Raises:
        InputError: as for `facespace.metrics.all_pairs`.
    """
    people = _People.of(labels, other_labels)
    counts = count_pairs(embeddings, labels, other, other_labels)
    n_same, n_diff, n = counts.n_same, counts.n_diff, len(people.n_first)
    if counts.near(threshold) > MOST_NEAR_PAIRS:
        same, diff = counts.accepted(threshold)
        return RateIntervals(_rate(same, n_same), None, _rate(diff, n_diff), None, n_same, n_diff)
    near = near_pairs(embeddings, labels, other, other_labels, limit=threshold)
    same, diff = int(near.same.sum()), int((~near.same).sum())
    if n == 0:
        return RateIntervals(None, None, None, None, 0, 0)
    draws = draw_identities(n, n_draws=n_draws, seed=seed)
    a, b = people.first[near.row], people.second[near.column]
    tars = ratio(np.bincount(a[near.same], minlength=n) @ draws, people.n_same @ draws)
    false_accepts = np.zeros(n_draws)
    a, b = a[~near.same], b[~near.same]
    for start in range(0, len(a), PAIRS_PER_CHUNK):
        part = slice(start, start + PAIRS_PER_CHUNK)
        false_accepts += weights_of(draws, a[part], b[part]).sum(0)
    fars = ratio(false_accepts, people.diff_pairs(draws))
    return RateIntervals(
        _rate(same, n_same),
        interval_of(tars, n) if n_same else None,
        _rate(diff, n_diff),
        interval_of(fars, n) if n_diff else None,
        n_same,
        n_diff,
    )


@dataclass(frozen=True)
class _People:
    """Who the faces show: numbers 0 .. P - 1 of each set's faces, and how many faces of each there are."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    n_first: NDArray[np.int64]
    n_second: NDArray[np.int64]
    itself: bool

    @classmethod
    def of(cls, labels: NDArray[np.int64], other: NDArray[np.int64] | None) -> "_People":
        labels = np.asarray(labels)
        names, numbers = np.unique(
            labels if other is None else np.concatenate([labels, other]), return_inverse=True
        )
        first, second = numbers[: len(labels)], numbers if other is None else numbers[len(labels) :]
        n_first, n_second = (np.bincount(part, minlength=len(names)) for part in (first, second))
        return cls(first, second, n_first, n_second, other is None)

    @property
    def n_same(self) -> NDArray[np.int64]:
        """Same-person pairs of each identity, shape (P,)."""
        return self.n_first * (self.n_first - 1) // 2 if self.itself else self.n_first * self.n_second

    def diff_pairs(self, draws: NDArray[np.float32]) -> NDArray[np.float64]:
        """Pairs of two people in each draw, shape (B,)."""
        a, b = draws * self.n_first[:, None], draws * self.n_second[:, None]
        total = a.sum(0, dtype=np.float64) * b.sum(0, dtype=np.float64) - (a * b).sum(0, dtype=np.float64)
        return total / 2 if self.itself else total


_Drawn = tuple[NearPairs, _People, NDArray[np.float32], NDArray[np.float64], NDArray[np.int64]]


def _draw_tail(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    other: NDArray[np.float32] | None,
    other_labels: NDArray[np.int64] | None,
    *,
    far: float,
    draws: tuple[int, int],
    counts: PairCounts | None,
) -> _Drawn | None:
    """The nearest pairs, who they show, the draws (P, B), distances (L,), and the last of these that each draw accepts.

    ``draws`` are their number and seed. None where the pairs do not support the FAR or are too many.
    """
    counts = counts or count_pairs(embeddings, labels, other, other_labels)
    if counts.tar_at_far(far).tar is None:
        return None
    people = _People.of(labels, other_labels)
    drawn = draw_identities(len(people.n_first), n_draws=draws[0], seed=draws[1])
    allowed = far * people.diff_pairs(drawn) + 1e-6
    reach = REACH * far
    while True:
        limit = counts.tar_at_far(min(1.0, reach)).threshold or 0.0
        if counts.near(limit) > MOST_NEAR_PAIRS:
            return None
        tail = near_pairs(embeddings, labels, other, other_labels, limit=limit)
        levels = _levels(tail.distance[~tail.same])
        at = (_false_accepts(tail, people, drawn, levels) <= allowed).sum(0) - 1
        # A draw that accepts the whole tail may reach beyond it.
        if reach >= 1.0 or not (at == len(levels) - 1).any():
            return tail, people, drawn, levels, at
        reach *= REACH


def _levels(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distances at which a threshold may stand: every one of few, evenly many pairs apart of many; first none."""
    ordered = np.unique(distance)
    if len(ordered) > N_LEVELS:
        ordered = ordered[np.linspace(0, len(ordered) - 1, N_LEVELS).astype(int)]
    return np.concatenate([[-np.inf], ordered])


def _false_accepts(
    tail: NearPairs, people: _People, draws: NDArray[np.float32], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weighted pairs of two people accepted up to each level in each draw, shape (L, B)."""
    others = tail[~tail.same]
    level = np.searchsorted(levels, others.distance, side="left")
    a, b = people.first[others.row], people.second[others.column]
    counted = np.zeros((len(levels), draws.shape[1]))
    for start in range(0, len(level), PAIRS_PER_CHUNK):
        part = slice(start, start + PAIRS_PER_CHUNK)
        present, first = np.unique(level[part], return_index=True)
        counted[present] += np.add.reduceat(weights_of(draws, a[part], b[part]), first, axis=0)
    return np.cumsum(counted, 0)


def _rate(part: int, whole: int) -> float | None:
    return part / whole if whole else None
