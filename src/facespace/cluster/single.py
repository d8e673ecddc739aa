"""Single linkage by a minimum spanning tree in O(N D) memory: Borůvka's rounds over lists of nearest faces.

Each round joins every component to the nearest other one. A face keeps its nearest others and a bound below which
no face outside the list lies; a component whose best listed edge is within the bounds of all its faces
has its true nearest; else those faces are searched again, outside their component.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facespace.cluster.search import FAR_AWAY, FOLD, ROWS_AT_ONCE, least, smallest
from facespace.cluster.ties import chance
from facespace.cluster.tree import Merges, find_root, roots

NEIGHBOURS = 8
COLUMNS_AT_ONCE = 8192
ROUNDING = np.float32(2e-6)


def spanning_tree(
    rows: NDArray[np.float32], limit: float, on_merge: Callable[[int, int], None] | None = None
) -> Merges:
    """The edges up to ``limit`` of a minimum spanning tree of squared L2.

    Args:
        rows: unit rows, shape (N, D).
        limit: longest edge wanted; may be infinite.
        on_merge: called with (edges so far, most there can be).
    """
    forest = _Forest(rows, np.float32(limit))
    while forest.grow():
        if on_merge:
            on_merge(len(rows) - forest.n_components, len(rows) - 1)
    return Merges.join(forest.edges)


class _Forest:
    """Components that grow together."""

    def __init__(self, rows: NDArray[np.float32], limit: np.float32) -> None:
        self.rows, self.limit = rows, limit
        self.component = np.arange(len(rows))
        self.n_components = len(rows)
        self.lists = np.zeros((len(rows), NEIGHBOURS), np.int64)
        self.distance = np.full((len(rows), NEIGHBOURS), np.inf, np.float32)
        self.bound = np.zeros(len(rows), np.float32)
        self.edges: list[Merges] = []

    def grow(self) -> bool:
        """One round; False when no edge up to the limit is left."""
        best, place = self._nearest_outside()
        low = np.full(len(self.rows), np.inf, np.float32)
        np.minimum.at(low, self.component, best)
        low = low[self.component]
        doubtful = (self.bound + ROUNDING < low) & (self.bound <= self.limit)
        if doubtful.any():
            self._search(np.flatnonzero(doubtful))
            return True
        chosen = np.flatnonzero((best == low) & (best <= self.limit) & (best < np.inf))
        self._join(chosen, self.lists[chosen, place[chosen]], best[chosen])
        return len(chosen) > 0

    def _nearest_outside(self) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        outside = self.component[self.lists] != self.component[:, None]
        distance = np.where(outside, self.distance, np.float32(np.inf))
        best = distance.min(axis=1, initial=np.inf)
        ties = chance(np.arange(len(self.rows))[:, None], self.lists)
        ties[distance != best[:, None]] = np.iinfo(np.uint64).max
        return best, ties.argmin(axis=1)

    def _join(self, a: NDArray[np.int64], b: NDArray[np.int64], distance: NDArray[np.float32]) -> None:
        """Each component takes its one best edge; of equal edges that would close a circle the last is left out."""
        order = np.lexsort((chance(a, b), distance, self.component[a]))
        _, first = np.unique(self.component[a[order]], return_index=True)
        a, b, distance = a[order[first]], b[order[first]], distance[order[first]]
        root = np.arange(len(self.rows)).tolist()
        joined = zip(self.component[a].tolist(), self.component[b].tolist(), strict=True)
        kept = np.array([k for k, (i, j) in enumerate(joined) if _union(root, i, j)], np.int64)
        self.edges.append(Merges(a[kept], b[kept], distance[kept].astype(np.float64)))
        self.component = roots(np.array(root, np.int64))[self.component]
        self.n_components -= len(kept)

    def _search(self, faces: NDArray[np.int64]) -> None:
        """New lists for the faces, of faces outside their component."""
        for begin in range(0, len(faces), ROWS_AT_ONCE):
            part = faces[begin : begin + ROWS_AT_ONCE]
            found = [self._nearest_in(part, at) for at in range(0, len(self.rows), COLUMNS_AT_ONCE)]
            column, value = (np.concatenate(x, axis=1) for x in zip(*found, strict=True))
            column, value = least(column, value, NEIGHBOURS)
            real = value < FAR_AWAY / 2
            gap = self.rows[part][:, None] - self.rows[column]
            self.lists[part] = column
            self.distance[part] = np.where(real, np.einsum("ijk,ijk->ij", gap, gap), np.inf)
            self.bound[part] = np.where(real.all(1), value.max(1), np.inf)

    def _nearest_in(
        self, part: NDArray[np.int64], begin: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        columns = self.rows[begin : begin + COLUMNS_AT_ONCE]
        block = 2.0 - 2.0 * (self.rows[part] @ columns.T)
        other = self.component[begin : begin + COLUMNS_AT_ONCE]
        block[self.component[part][:, None] == other] = FAR_AWAY
        block = np.pad(block, ((0, 0), (0, -len(columns) % FOLD)), constant_values=FAR_AWAY)
        column, value = smallest(block, NEIGHBOURS)
        return np.minimum(column, len(columns) - 1) + begin, value


def _union(root: list[int], i: int, j: int) -> bool:
    """Join the sets of two; False if they are one already."""
    a, b = find_root(root, i), find_root(root, j)
    root[max(a, b)] = min(a, b)
    return a != b
