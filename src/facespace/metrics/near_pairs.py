"""The nearest of all pairs, one by one: for exact figures, for intervals, for faces that two sets share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.metrics.pair_blocks import (
    N_STEPS,
    STEPS_PER_UNIT,
    PairBlock,
    SortedPairs,
    map_blocks,
    places,
    sort_pairs,
    steps_of,
)


@dataclass(frozen=True)
class NearPairs:
    """Pairs as parallel arrays, shape (P,) each."""

    row: NDArray[np.int64]  # int64, the pair's face in the first set
    column: NDArray[np.int64]  # int64, its face in the second set, or in the first likewise
    distance: NDArray[np.float64]  # float64, in double precision
    same: NDArray[np.bool_]  # whether both are one person
    step: NDArray[np.int64]  # int64, the step of the grid that the single-precision distance fell in

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "NearPairs":
        return NearPairs(
            self.row[chosen], self.column[chosen], self.distance[chosen], self.same[chosen], self.step[chosen]
        )


def near_pairs(
    embeddings: NDArray[np.float32] | NDArray[np.int8],
    labels: NDArray[np.int64],
    other: NDArray[np.float32] | NDArray[np.int8] | None = None,
    other_labels: NDArray[np.int64] | None = None,
    *,
    limit: float,
) -> NearPairs:
    """All pairs of A x A (i < j) or A x B with a distance of at most ``limit``, nearest first.

    Args:
        embeddings: unit rows, shape (N, D), or byte templates.
        labels: identities, shape (N,).
        other: a second, disjoint set, shape (M, D).
        other_labels: its identities, shape (M,).
        limit: the largest distance; all pairs that lie below are held in memory.

    Raises:
        InputError: other shapes, rows that are not of unit length, or a limit that is not finite.
    """
    if not np.isfinite(limit):
        raise InputError(f"limit: expected a distance, got {limit}")
    last = int(np.clip(np.ceil(limit * STEPS_PER_UNIT) + 1, 0, N_STEPS))
    found = gather(sort_pairs(embeddings, labels, other, other_labels), [(0, last)])
    order = np.argsort(found.distance, kind="stable")
    return found[order[: np.searchsorted(found.distance[order], limit, side="right")]]


def gather(pairs: SortedPairs, windows: Sequence[tuple[int, int]]) -> NearPairs:
    """All pairs whose step lies in one of the windows (first and last step), in no particular order."""
    farthest = max(high for _, high in windows)
    # One step of slack: adding the offset may round a cosine into the next step.
    least = np.float32(N_STEPS // 2 - farthest - 1)

    def pick(block: PairBlock) -> tuple[NDArray[np.int64], ...]:
        flat = block.cosines.ravel()
        at = np.flatnonzero(flat >= least)
        step = steps_of(places(flat[at]))
        kept = np.zeros(len(at), bool)
        for low, high in windows:
            kept |= (step >= low) & (step <= high)
        at, step = at[kept], step[kept]
        row, column = np.divmod(at, block.cosines.shape[1])
        return row + block.row, column + block.column, step

    found = list(map_blocks(pairs, pick))
    empty = np.zeros(0, np.int64)
    row, column, step = (np.concatenate([empty, *(part[k] for part in found)]) for k in range(3))
    same = (column >= pairs.first[row]) & (column < pairs.last[row])
    return NearPairs(pairs.row_idx[row], pairs.column_idx[column], _distance(pairs, row, column), same, step)


def _distance(pairs: SortedPairs, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distances in double precision, some pairs at a time."""
    distance = np.empty(len(row), np.float64)
    for start in range(0, len(row), 2**16):
        part = slice(start, start + 2**16)
        a, b = pairs.rows[row[part]].astype(np.float64), pairs.columns[column[part]].astype(np.float64)
        cosine = np.einsum("nd,nd->n", a, b)
        lengths = np.sqrt(np.einsum("nd,nd->n", a, a) * np.einsum("nd,nd->n", b, b))
        distance[part] = np.clip(2.0 - 2.0 * cosine / lengths, 0.0, 4.0)
    return distance
