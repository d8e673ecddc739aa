"""The merge tree: its form (SciPy's linkage), cutting it, and groups numbered by size."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError


@dataclass(frozen=True)
class Merges:
    """Merges in any order in which a group is made before it is joined; parallel arrays of M.

    Attributes:
        first: int64, a face of one group, or the slot that is kept.
        second: int64, a face of the other, or the slot that is gone.
        distance: float64, of the two groups; along any path up the tree it does not fall.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.float64]

    @classmethod
    def join(cls, parts: "Sequence[Merges]") -> "Merges":
        """Merges of several stages one after another."""
        nothing = [np.zeros(0, np.int64)]
        return cls(
            np.concatenate([part.first for part in parts] or nothing),
            np.concatenate([part.second for part in parts] or nothing),
            np.concatenate([part.distance for part in parts] or [np.zeros(0)]).astype(np.float64),
        )

    @classmethod
    def of(cls, listed: list[tuple[int, int, float]]) -> "Merges":
        """Of (first, second, distance) each."""
        table = np.array(listed, np.float64).reshape(-1, 3)
        return cls(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2])

    def at(self, places: NDArray[np.int64]) -> "Merges":
        """The same where what was 0, 1, ... is called ``places[0]``, ``places[1]``, ..."""
        return Merges(places[self.first], places[self.second], self.distance)


@dataclass(frozen=True)
class Clustering:
    """Who belongs together.

    Attributes:
        labels: int32, shape (N,), 0 for the largest group, then on by size (equal ones by first member).
        merges: float64, shape (M, 4), the merges that made the groups, in the form of SciPy's linkage: two
            group numbers (N + k is the group that row k made), their distance, the size; rows by rising
            distance. Faces that had to be together are merged at distance 0.
        recall: share of the true nearest 8 of a face that the first search found; 1 where the result is exact.
    """

    labels: NDArray[np.int32]
    merges: NDArray[np.float64]
    recall: float = 1.0

    @property
    def n_people(self) -> int:
        """How many groups there are, single faces included."""
        return int(self.labels.max(initial=-1)) + 1


def grow(merges: Merges, n: int) -> NDArray[np.float64]:
    """The tree of ``n`` faces in the form of SciPy's linkage, shape (M, 4), rows by rising distance."""
    order = np.argsort(merges.distance, kind="stable")
    first, second = merges.first[order].tolist(), merges.second[order].tolist()
    parent, number, size = list(range(n)), list(range(n)), [1] * n
    pairs, sizes = [], []
    for row, (i, j) in enumerate(zip(first, second, strict=True)):
        a, b = find_root(parent, i), find_root(parent, j)
        if size[a] < size[b]:
            a, b = b, a
        pairs.append((number[a], number[b]) if number[a] < number[b] else (number[b], number[a]))
        parent[b], number[a] = a, n + row
        size[a] += size[b]
        sizes.append(size[a])
    table = np.zeros((len(order), 4))
    if len(order):
        table[:, :2], table[:, 2], table[:, 3] = pairs, merges.distance[order], sizes
    return table


def cut(
    merges: NDArray[np.float64], n: int, *, threshold: float | None = None, n_clusters: int | None = None
) -> NDArray[np.int32]:
    """Labels by size, shape (N,), of the groups that the tree's merges up to a distance or a number make.

    Args:
        merges: the tree of ``n`` faces, as `Clustering.merges`.
        n: faces.
        threshold: merges up to this distance count, or
        n_clusters: so many groups are left.

    Raises:
        InputError: neither or both are given, or the tree does not reach down to ``n_clusters``.
    """
    if (threshold is None) == (n_clusters is None):
        raise InputError("cut: expected either threshold or n_clusters")
    if threshold is not None:
        count = int(np.searchsorted(merges[:, 2], threshold, side="right"))
    else:
        count = n - int(n_clusters or 0)
        if not 0 <= count <= len(merges):
            raise InputError(
                f"n_clusters: expected {n - len(merges)} to {n}, got {n_clusters}; "
                "constraints or a threshold keep the other groups apart"
            )
    parent = np.arange(n + count)
    made = n + np.arange(count)
    parent[merges[:count, 0].astype(np.int64)] = made
    parent[merges[:count, 1].astype(np.int64)] = made
    return labels_by_size(roots(parent)[:n])


def labels_by_size(groups: NDArray[np.integer]) -> NDArray[np.int32]:
    """Any group numbers, shape (N,), to labels 0, 1, ... from the largest on; equal ones by first member."""
    if not len(groups):
        return np.zeros(0, np.int32)
    _, firsts, index, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(firsts), np.int32)
    rank[np.lexsort((firsts, -sizes))] = np.arange(len(firsts), dtype=np.int32)
    return rank[index]


def roots(parent: NDArray[np.int64]) -> NDArray[np.int64]:
    """What is above each in the end, where ``parent`` says what is next above; a root is above itself."""
    while (parent != (above := parent[parent])).any():
        parent = above
    return parent


def find_root(parent: list[int], i: int) -> int:
    """The root above ``i``; the way there is made shorter for the next one."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i
