"""Nearest groups among a million: cells by k-means, and only the cells near a group are searched.

Groups are dealt to cells of about a thousand by their nearest centroid; each group looks into the cells whose centroids
are nearest to it, and one matrix product serves all groups that look into a cell. What is found is not always the
nearest: `recall` measures how often it is.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facespace.cluster.conflicts import Conflicts
from facespace.cluster.groups import Groups
from facespace.cluster.near import NearPairs
from facespace.cluster.search import FAR_AWAY, FOLD, BlockSearch, Search, fold, least, smallest, smallest_of

CELL_SIZE = 1024
PROBES = 48
FIRST_PROBES = 4
NEAR_CELLS = 16
SAMPLE_PER_CELL = 48
N_ROUNDS = 6
ROWS_AT_ONCE = 1024


class PartitionSearch:
    """Approximate search over the slots given; arguments as of `BlockSearch`."""

    def __init__(self, groups: Groups, slots: NDArray[np.int64], conflicts: Conflicts) -> None:
        self.groups = groups
        n_cells = max(1, len(slots) // CELL_SIZE)
        self.probes = min(PROBES, n_cells)
        self.centroids = _centroids(groups.mean, slots, n_cells)
        cell = _by_rows(groups.mean, slots, lambda product: product.argmax(axis=1), self.centroids)
        order = np.argsort(cell, kind="stable")
        size = np.bincount(cell, minlength=n_cells)
        width = size + -size % FOLD
        self.begin = np.concatenate([[0], np.cumsum(width)])
        within = np.arange(len(slots)) - np.repeat(np.cumsum(size) - size, size)
        padded = np.full(self.begin[-1], -1, np.int64)
        padded[np.repeat(self.begin[:-1], size) + within] = slots[order]
        self.columns = BlockSearch(groups, padded, conflicts)

    def nearest(self, queries: NDArray[np.int64], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """See `Search`; groups in cells that were not looked into may lie within the bound."""
        column = np.zeros((len(queries), k), np.int64)
        value = np.full((len(queries), k), FAR_AWAY, np.float32)
        probed = _by_rows(self.groups.mean, queries, self._nearest_cells, self.centroids)
        hidden = _by_column(*self.columns.hidden(queries))
        # The nearest cells first: in the others few rows then hold anything better.
        for cells in (probed[:, :FIRST_PROBES], probed[:, FIRST_PROBES:]):
            self._look_into(cells, queries, hidden, column, value)
        return self.columns.best(column, value, k)

    def near_pairs(self, limit: float) -> NearPairs:
        """Pairs up to a distance that is well below the farthest neighbours, in cells near each other."""
        n_cells = len(self.centroids)
        near = smallest(-(self.centroids @ self.centroids.T), min(NEAR_CELLS, n_cells))[0]
        cell = np.repeat(np.arange(n_cells), near.shape[1])
        pairs = np.stack([np.minimum(cell, near.ravel()), np.maximum(cell, near.ravel())])
        pairs = np.unique(np.concatenate([pairs, np.tile(np.arange(n_cells), (2, 1))], axis=1), axis=1)
        edges = np.searchsorted(pairs[0], np.arange(n_cells + 1))
        partners = [pairs[1, edges[i] : edges[i + 1]] for i in range(n_cells)]
        return NearPairs(self.columns, self.begin, partners, limit)

    def _nearest_cells(self, product: NDArray[np.float32]) -> NDArray[np.int64]:
        cells, value = smallest(-product, self.probes)
        return np.take_along_axis(cells, value.argsort(axis=1), 1)

    def _look_into(
        self,
        probed: NDArray[np.int64],
        queries: NDArray[np.int64],
        hidden: tuple[NDArray[np.int64], NDArray[np.int64]],
        column: NDArray[np.int64],
        value: NDArray[np.float32],
    ) -> None:
        """Each query into its cells ``probed``, (Q, P), cell by cell."""
        order = np.argsort(probed.ravel(), kind="stable")
        edges = np.searchsorted(probed.ravel()[order], np.arange(len(self.begin)))
        cells = np.searchsorted(hidden[1], self.begin)
        place = np.full(len(queries), -1)
        for cell, (begin, end) in enumerate(pairwise(self.begin.tolist())):
            rows = order[edges[cell] : edges[cell + 1]] // max(1, probed.shape[1])
            row, own = (one[cells[cell] : cells[cell + 1]] for one in hidden)
            for first in range(0, len(rows) if begin < end else 0, ROWS_AT_ONCE):
                here = rows[first : first + ROWS_AT_ONCE]
                place[here] = np.arange(len(here))
                block = self.columns.distances(queries[here], begin, end)
                asked = place[row] >= 0
                block[place[row[asked]], own[asked] - begin] = FAR_AWAY
                place[here] = -1
                _keep_better(block, begin, here, column, value)


def _keep_better(
    block: NDArray[np.float32],
    begin: int,
    rows: NDArray[np.int64],
    column: NDArray[np.int64],
    value: NDArray[np.float32],
) -> None:
    """Of the queries at ``rows``, smaller distances in a block of columns take the place of larger ones."""
    k = value.shape[1]
    folded = fold(block, k)
    better = np.flatnonzero(folded.min(axis=1) < value[rows].max(axis=1))
    if len(better):
        rows = rows[better]
        near, distance = smallest_of(block, folded, min(k, block.shape[1]), better)
        columns = np.concatenate([column[rows], near + begin], axis=1)
        column[rows], value[rows] = least(columns, np.concatenate([value[rows], distance], axis=1), k)


def recall(search: Search, exact: Search, queries: NDArray[np.int64], k: int) -> float:
    """Share of the ``k`` true nearest of the queries that the search finds."""
    found, true = search.nearest(queries, k)[0], exact.nearest(queries, k)[0]
    hits = (found[:, :, None] == true[:, None, :]) & (true[:, None, :] >= 0)
    return float(hits.any(axis=1).sum() / max(1, (true >= 0).sum()))


def _centroids(mean: NDArray[np.float32], slots: NDArray[np.int64], n_cells: int) -> NDArray[np.float32]:
    """Spherical k-means over a sample, always the same one: unit rows, shape (n_cells, D)."""
    rng = np.random.default_rng(0)
    sample = rng.choice(slots, min(len(slots), n_cells * SAMPLE_PER_CELL), replace=False)
    centroids = mean[sample[:n_cells]]
    for _ in range(N_ROUNDS):
        cell = _by_rows(mean, sample, lambda product: product.argmax(axis=1), centroids)
        order = np.argsort(cell, kind="stable")
        present, begins = np.unique(cell[order], return_index=True)
        centroids[present] = np.add.reduceat(mean[sample[order]], begins, axis=0)
        centroids /= np.maximum(np.linalg.norm(centroids, axis=1, keepdims=True), 1e-9)
    return centroids


def _by_column(
    row: NDArray[np.int64], column: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = np.argsort(column, kind="stable")
    return row[order], column[order]


def _by_rows(
    mean: NDArray[np.float32],
    slots: NDArray[np.int64],
    choose: Callable[[NDArray[np.float32]], NDArray[np.int64]],
    centroids: NDArray[np.float32],
) -> NDArray[np.int64]:
    """``choose`` of the products of each slot with all centroids, a block of rows at a time."""
    found = [
        choose(mean[slots[begin : begin + ROWS_AT_ONCE]] @ centroids.T)
        for begin in range(0, len(slots), ROWS_AT_ONCE)
    ]
    return np.concatenate(found or [np.zeros(0, np.int64)])
