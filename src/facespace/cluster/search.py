"""Nearest groups of groups, exactly: blocks of one matrix product, and the smallest of each row.

The product of [mean, 1, |mean|^2 + scatter] of the asking group and [-2 mean, |mean|^2 + scatter, 1] of the others is
their distance: BLAS does all the work, and no more than a block of distances is ever held.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facespace.cluster.conflicts import Conflicts
from facespace.cluster.groups import Groups

ROWS_AT_ONCE = 256
COLUMNS_AT_ONCE = 16_384
FOLD = 32
FAR_AWAY = np.float32(1e30)


class Search(Protocol):
    """Finds the nearest groups of some groups among the ones that are left."""

    def nearest(self, queries: NDArray[np.int64], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The ``k`` nearest slots of each query, shape (Q, k), -1 where there are fewer; and a bound, shape (Q,),
        below which no other group lies (as far as the search can tell)."""
        ...


class BlockSearch:
    """Exact search over the slots given.

    Args:
        groups: whose means stand still while the search is used.
        slots: int64, shape (C,), the groups to find; -1 leaves a gap.
        conflicts: pairs that are never found.
    """

    def __init__(self, groups: Groups, slots: NDArray[np.int64], conflicts: Conflicts) -> None:
        self.groups, self.conflicts = groups, conflicts
        self.slots = np.pad(slots, (0, -len(slots) % FOLD), constant_values=-1)
        there = self.slots >= 0
        here = self.slots[there]
        self.column_of = np.full(len(groups.size), -1, np.int64)
        self.column_of[here] = np.flatnonzero(there)
        self.columns = np.zeros((len(self.slots), groups.mean.shape[1] + 2), np.float32)
        self.columns[there, :-2] = -2.0 * groups.mean[here]
        self.columns[~there, -2] = FAR_AWAY
        self.columns[there, -2] = self._offset(here)
        self.columns[:, -1] = 1.0
        self.inverse_size = np.ones(len(self.slots), np.float32)
        self.inverse_size[there] = 1.0 / groups.size[here]

    def nearest(self, queries: NDArray[np.int64], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """See `Search`; the bound is exact to float32."""
        found = np.full((len(queries), k), -1, np.int32)
        bound = np.full(len(queries), np.inf, np.float32)
        for begin in range(0, len(queries), ROWS_AT_ONCE):
            part = slice(begin, begin + ROWS_AT_ONCE)
            found[part], bound[part] = self._nearest_of_block(queries[part], k)
        return found, bound

    def _nearest_of_block(
        self, queries: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        hidden = self.hidden(queries)
        columns, values = [], []
        for begin in range(0, len(self.slots), COLUMNS_AT_ONCE):
            end = min(begin + COLUMNS_AT_ONCE, len(self.slots))
            block = self.distances(queries, begin, end)
            here = (hidden[1] >= begin) & (hidden[1] < end)
            block[hidden[0][here], hidden[1][here] - begin] = FAR_AWAY
            column, value = smallest(block, min(k, end - begin))
            columns.append(column + begin)
            values.append(value)
        return self.best(np.concatenate(columns, 1), np.concatenate(values, 1), k)

    def distances(self, queries: NDArray[np.int64], begin: int, end: int) -> NDArray[np.float32]:
        """Of each query to the columns from ``begin`` to ``end``, shape (Q, end - begin)."""
        left = np.empty((len(queries), self.columns.shape[1]), np.float32)
        left[:, :-2] = self.groups.mean[queries]
        left[:, -2] = 1.0
        left[:, -1] = self._offset(queries)
        block = left @ self.columns[begin:end].T
        if self.groups.linkage == "ward":
            block *= 2.0
            block /= (1.0 / self.groups.size[queries]).astype(np.float32)[:, None] + self.inverse_size[
                begin:end
            ]
        return block

    def best(
        self, column: NDArray[np.int64], value: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The ``k`` best of what was found, shape (Q, W), as slots and bound; see `Search`."""
        if value.shape[1] > k:
            column, value = least(column, value, k)
        real = value < FAR_AWAY / 2
        found = np.full((len(value), k), -1, np.int32)
        found[:, : value.shape[1]][real] = self.slots[column[real]]
        complete = real.all(1) & (value.shape[1] == k)
        return found, np.where(complete, value.max(axis=1), np.inf).astype(np.float32)

    def _offset(self, slots: NDArray[np.int64]) -> NDArray[np.float64]:
        mean = self.groups.mean[slots]
        squares = np.einsum("ij,ij->i", mean, mean).astype(np.float64)
        return squares if self.groups.linkage == "ward" else squares + self.groups.scatter[slots]

    def hidden(self, queries: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row and column of what must not be found: the group itself, and those it may not join."""
        row, slot = self.conflicts.of(queries)
        rows = np.concatenate([np.arange(len(queries)), row])
        columns = self.column_of[np.concatenate([queries, slot])]
        there = columns >= 0
        return rows[there], columns[there]


def smallest(block: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Columns and values of the ``k`` smallest of each row, both of shape (R, k), in no order."""
    return smallest_of(block, fold(block, k), k, np.arange(len(block)))


def fold(block: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """The minima of FOLD columns that stand apart; the block itself where it is narrow or no multiple of FOLD."""
    rows, width = block.shape
    if width // FOLD <= 2 * k or width % FOLD:
        return block
    return np.asarray(block.reshape(rows, FOLD, width // FOLD).min(axis=1))


def smallest_of(
    block: NDArray[np.float32], folded: NDArray[np.float32], k: int, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """`smallest` of some rows, (R,): the k smallest of a row lie behind its k smallest minima."""
    width, n_minima = block.shape[1], folded.shape[1]
    ahead = np.argpartition(folded[rows], k - 1, axis=1)[:, :k]
    columns = (ahead[:, :, None] + n_minima * np.arange(width // n_minima)).reshape(len(rows), -1)
    values = block.ravel()[columns + width * rows[:, None]]
    return least(columns, values, k)


def least(
    columns: NDArray[np.int64], values: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The ``k`` columns of each row with the smallest values, and these, both of shape (R, k), in no order."""
    place = np.argpartition(values, k - 1, axis=1)[:, :k]
    return np.take_along_axis(columns, place, 1), np.take_along_axis(values, place, 1)
