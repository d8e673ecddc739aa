"""All pairs of one set or of two, a block of cosines at a time, so that N x N never stands in memory.

Rows are sorted by identity first: the pairs of one person are then a range of columns in each row, and no mask of the
block's size is needed to tell them from the rest.

Distances are put on a grid of `N_STEPS` steps over [0, 4]; step k holds (k - 1, k] / STEPS_PER_UNIT. A block holds
cosines in units of the grid, from -N_STEPS / 2 to N_STEPS / 2, so that a step is one addition and one cast away.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from facespace.distances import check_embeddings
from facespace.errors import InputError

N_STEPS = 2**18
STEPS_PER_UNIT = N_STEPS / 4.0
# Room for cosines that rounding takes past -1 and 1; place 0 is that of a pair that does not count.
MARGIN = 64
N_PLACES = N_STEPS + 2 * MARGIN + 1
OFFSET = np.float32(N_STEPS // 2 + MARGIN)
NO_PAIR = -OFFSET

BLOCK_ROWS = 1024
BLOCK_COLUMNS = 4096

Result = TypeVar("Result")


@dataclass(frozen=True)
class SortedPairs:
    """Two sets of unit rows in the order of their identities, or one set and itself."""

    rows: NDArray[np.float32]  # float32, shape (N, D)
    columns: NDArray[np.float32]  # float32, shape (M, D); the same array as ``rows`` for one set
    row_idx: NDArray[np.int64]  # int64, shape (N,), where each row stood before the sorting
    column_idx: NDArray[np.int64]  # int64, shape (M,), likewise
    # int64, shape (N,), the first column that shows the row's person and makes a pair with it
    first: NDArray[np.int64]
    last: NDArray[np.int64]  # int64, shape (N,), one past the last such column
    itself: bool  # whether the pairs are those i < j of one set
    same_faces: bool = False  # whether row i and column i are one face by two models, which is no pair


@dataclass(frozen=True)
class PairBlock:
    """Cosines of some rows with some columns."""

    # float32, shape (R, C), in units of the grid; `NO_PAIR` where row and column make no pair
    cosines: NDArray[np.float32]
    row: int  # the first row, in the sorted order
    column: int  # the first column, likewise
    # int64, shape (S,), where in ``cosines``, laid flat, the pairs of one person stand
    same: NDArray[np.int64]


def sort_pairs(
    embeddings: NDArray[np.float32] | NDArray[np.int8],
    labels: NDArray[np.int64],
    other: NDArray[np.float32] | NDArray[np.int8] | None = None,
    other_labels: NDArray[np.int64] | None = None,
) -> SortedPairs:
    """Sort one set, or two disjoint ones, by identity.

    Args:
        embeddings: unit rows, shape (N, D), or byte templates, whose directions are taken.
        labels: identities, shape (N,).
        other: the second set, shape (M, D); None pairs the first with itself.
        other_labels: its identities, shape (M,).

    Raises:
        InputError: other shapes, rows that are not of unit length, or only one of ``other`` and its labels.
    """
    if (other is None) != (other_labels is None):
        raise InputError("expected both other and other_labels, or neither of them")
    rows, row_labels, row_idx = _sorted(embeddings, labels)
    if other is None or other_labels is None:
        last = np.searchsorted(row_labels, row_labels, side="right")
        return SortedPairs(rows, rows, row_idx, row_idx, np.arange(1, len(rows) + 1), last, True)
    columns, column_labels, column_idx = _sorted(other, other_labels)
    if rows.shape[1] != columns.shape[1]:
        raise InputError(
            f"expected embeddings of one dimension, got {rows.shape[1]} and {columns.shape[1]}: "
            "embed both sets with the same model"
        )
    first, last = (np.searchsorted(column_labels, row_labels, side=side) for side in ("left", "right"))
    return SortedPairs(rows, columns, row_idx, column_idx, first, last, False)


def map_blocks(pairs: SortedPairs, work: Callable[[PairBlock], Result]) -> Iterator[Result]:
    """``work`` on every block, in order; a block is good only while ``work`` looks at it.

    The matrix product uses all cores by itself, then the block's rows are shared out to as many threads for ``work``:
    NumPy releases Python's lock in what takes the time.
    """
    n_threads = os.cpu_count() or 1
    buffer = np.empty(BLOCK_ROWS * BLOCK_COLUMNS, np.float32)
    with ThreadPoolExecutor(n_threads) as pool:
        for row in range(0, len(pairs.rows), BLOCK_ROWS):
            rows = pairs.rows[row : row + BLOCK_ROWS]
            for column in range(row if pairs.itself else 0, len(pairs.columns), BLOCK_COLUMNS):
                columns = pairs.columns[column : column + BLOCK_COLUMNS]
                cosines = buffer[: len(rows) * len(columns)].reshape(len(rows), len(columns))
                # The factor is a power of two: it changes no digit.
                np.matmul(rows * np.float32(N_STEPS // 2), columns.T, out=cosines)
                parts = _parts(pairs, cosines, row, column, n_threads)
                yield from pool.map(work, parts)


def places(cosines: NDArray[np.float32], out: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """The place of each cosine (in units of the grid) in an array of `N_PLACES` counts; nearest pairs last."""
    out = np.empty(cosines.shape, np.int64) if out is None else out
    return np.add(cosines, OFFSET, out=out, casting="unsafe")


def steps_of(place: NDArray[np.int64]) -> NDArray[np.int64]:
    """The step of the grid, 0 to N_STEPS, of each place."""
    return np.clip(N_STEPS + MARGIN - place, 0, N_STEPS)


def _parts(
    pairs: SortedPairs, cosines: NDArray[np.float32], row: int, column: int, n_parts: int
) -> Iterator[PairBlock]:
    edges = np.linspace(0, len(cosines), n_parts + 1).astype(int)
    for start, end in pairwise(edges):
        part = cosines[start:end]
        top = row + int(start)
        if pairs.itself and column < top + len(part):
            _strike_out(part, top - column)
        if pairs.same_faces:
            _strike_diagonal(part, top - column)
        yield PairBlock(part, top, column, _same_places(pairs, part.shape, top, column))


def _strike_out(cosines: NDArray[np.float32], offset: int) -> None:
    """Rows pair only with later columns; row i of the part is column ``offset + i`` of it."""
    for i, line in enumerate(cosines):
        line[: max(0, offset + i + 1)] = NO_PAIR


def _strike_diagonal(cosines: NDArray[np.float32], offset: int) -> None:
    """Row i of the part is no pair with column ``offset + i`` of it."""
    rows = np.arange(max(0, -offset), max(0, min(len(cosines), cosines.shape[1] - offset)))
    cosines[rows, rows + offset] = NO_PAIR


def _same_places(pairs: SortedPairs, shape: tuple[int, ...], row: int, column: int) -> NDArray[np.int64]:
    n_rows, n_columns = shape
    first = np.clip(pairs.first[row : row + n_rows] - column, 0, n_columns)
    last = np.clip(pairs.last[row : row + n_rows] - column, 0, n_columns)
    sizes = np.maximum(last - first, 0)
    starts = np.arange(n_rows) * n_columns + first - np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return np.repeat(starts, sizes) + np.arange(sizes.sum())


def _sorted(
    embeddings: NDArray[np.float32] | NDArray[np.int8], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Rows of unit length, labels and former places, sorted by label."""
    array, identities = np.asarray(embeddings), np.asarray(labels)
    if array.dtype != np.int8:
        array = check_embeddings(array.astype(np.float32, copy=False))
    if array.ndim != 2 or identities.shape != (len(array),):
        raise InputError(f"labels: expected shape ({len(array)},), got {identities.shape}")
    order = np.argsort(identities, kind="stable")
    rows = array[order].astype(np.float32, copy=False)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if len(rows) and not lengths.min() > 0:
        raise InputError("embeddings: expected byte templates with a direction, got a row of zeros")
    # Rows of unit length up to rounding keep their digits, so that exact distances are those of the caller's rows.
    unit = rows / np.where(np.abs(lengths - 1.0) > 1e-6, lengths, 1.0)
    return unit.astype(np.float32, copy=False), identities[order], order
