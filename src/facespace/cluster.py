"""Exact agglomerative clustering by average linkage on squared L2 (paper, section 5.7).

The mean of all pair distances between two groups is the squared distance of their means plus their scatters
(the mean squared distance of each group's members to its mean). So a group is three numbers and a vector,
memory is O(N D), and the distances from one group to all others are one matrix product.

Average linkage is reducible: a merged group is never nearer to a third than both of its parts were. Chains of
nearest neighbours therefore find the same tree as always merging the closest two (Müllner 2011,
arXiv:1109.2378). Groups that must stay apart are at infinite distance, which keeps that property.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.distance import check_embeddings
from facespace.errors import InputError

__all__ = ["Clustering", "agglomerative", "tightness"]


@dataclass(frozen=True)
class Clustering:
    """Who belongs together.

    Attributes:
        labels: int32, shape (N,), 0 for the largest group, then on by size (equal ones by first member).
        merges: float64, shape (M, 4), the merges up to the threshold in the form of SciPy's linkage: two
            group numbers (N + k is the group that row k made), their distance, the size; rows by rising distance.
    """

    labels: NDArray[np.int32]
    merges: NDArray[np.float64]

    @property
    def n_people(self) -> int:
        """How many groups there are, single faces included."""
        return int(self.labels.max(initial=-1)) + 1


def agglomerative(
    embeddings: NDArray[np.float32], *, threshold: float, apart: NDArray[np.int64] | None = None
) -> Clustering:
    """Merge the two closest groups while their average distance is at most ``threshold``.

    Args:
        embeddings: unit rows, shape (N, D).
        threshold: largest mean squared L2 between the faces of two groups that still merges them.
        apart: int, shape (N,); faces that share a number (that of their photo) never join; -1 is free.

    Raises:
        InputError: other shapes, rows that are not of unit length, a threshold that is not a number.
    """
    rows = check_embeddings(embeddings)
    if not np.isfinite(threshold) or threshold < 0:
        raise InputError(f"threshold: expected a distance in [0, 4], got {threshold}")
    if apart is not None and np.shape(apart) != (len(rows),):
        raise InputError(f"apart: expected shape ({len(rows)},), got {np.shape(apart)}")
    chain = _Chain(rows, threshold, None if apart is None else np.asarray(apart))
    return _clustering(chain.run(), len(rows))


def tightness(embeddings: NDArray[np.float32], labels: NDArray[np.int32]) -> NDArray[np.float32]:
    """Mean distance between the faces of each group, shape (K,) for labels 0 .. K - 1; nan for a single face.

    Raises:
        InputError: other shapes or rows that are not of unit length.
    """
    rows = check_embeddings(embeddings)
    n_groups = int(np.max(labels, initial=-1)) + 1
    sizes = np.bincount(labels, minlength=n_groups).astype(np.float64)
    sums = np.zeros((n_groups, rows.shape[1]))
    np.add.at(sums, labels, rows)
    squares = np.bincount(labels, (rows.astype(np.float64) ** 2).sum(1), minlength=n_groups)
    # The sum over ordered pairs of |x - y|^2 is 2 n (sum of squares) - 2 |sum|^2.
    total = 2 * sizes * squares - 2 * (sums**2).sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(sizes > 1, np.maximum(total, 0) / (sizes * (sizes - 1)), np.nan).astype(np.float32)


class _Chain:
    """Nearest-neighbour chains over the groups that are left; group i keeps slot i, a merge reuses one."""

    def __init__(self, rows: NDArray[np.float32], threshold: float, apart: NDArray[np.int64] | None) -> None:
        self.means = rows.astype(np.float32, copy=True)
        self.squares = (self.means.astype(np.float64) ** 2).sum(1)
        self.scatter = np.zeros(len(rows))
        self.sizes = np.ones(len(rows), np.int64)
        self.alive = np.ones(len(rows), bool)
        self.threshold = threshold
        self.number = np.arange(len(rows))
        self.members = None if apart is None else [{int(a)} - {-1} for a in apart]
        self.slots_of = {} if apart is None else _slots_by_photo(apart)

    def run(self) -> list[tuple[int, int, float, int]]:
        """All merges within the threshold as (slot, slot, distance, size), in the order found."""
        merges: list[tuple[int, int, float, int]] = []
        chain: list[int] = []
        start = 0
        while True:
            if not chain:
                while start < len(self.alive) and not self.alive[start]:
                    start += 1
                if start == len(self.alive):
                    return merges
                chain.append(start)
            top = chain[-1]
            nearest, distance = self._nearest(top, chain[-2] if len(chain) > 1 else None)
            if distance > self.threshold:
                # Its neighbours only move away from it, so that this group is complete.
                self.alive[top] = False
                chain.pop()
            elif len(chain) > 1 and nearest == chain[-2]:
                del chain[-2:]
                merges.append(self._merge(top, nearest, distance))
            else:
                chain.append(nearest)

    def _nearest(self, slot: int, preferred: int | None) -> tuple[int, float]:
        """The closest group that may join; on a tie the one before it in the chain, so that chains end."""
        product = self.means @ self.means[slot]
        distance = self.squares + self.squares[slot] - 2.0 * product + self.scatter + self.scatter[slot]
        distance[~self.alive] = np.inf
        distance[slot] = np.inf
        if self.members is not None:
            for photo in self.members[slot]:
                distance[list(self.slots_of[photo])] = np.inf
        nearest = int(distance.argmin())
        if preferred is not None and distance[preferred] <= distance[nearest] + 1e-6:
            nearest = preferred
        return nearest, max(0.0, float(distance[nearest]))

    def _merge(self, a: int, b: int, distance: float) -> tuple[int, int, float, int]:
        kept, gone = min(a, b), max(a, b)
        n_a, n_b = self.sizes[kept], self.sizes[gone]
        n = n_a + n_b
        gap = self.means[kept].astype(np.float64) - self.means[gone]
        self.scatter[kept] = (
            n_a * self.scatter[kept] + n_b * self.scatter[gone] + n_a * n_b / n * (gap @ gap)
        ) / n
        self.means[kept] = (n_a * self.means[kept] + n_b * self.means[gone]) / n
        self.squares[kept] = float((self.means[kept].astype(np.float64) ** 2).sum())
        self.sizes[kept] = n
        self.alive[gone] = False
        if self.members is not None:
            for photo in self.members[gone]:
                self.slots_of[photo].discard(gone)
                self.slots_of[photo].add(kept)
            self.members[kept] |= self.members[gone]
        return kept, gone, distance, int(n)


def _slots_by_photo(apart: NDArray[np.int64]) -> dict[int, set[int]]:
    slots: dict[int, set[int]] = {}
    for slot, photo in enumerate(apart.tolist()):
        if photo != -1:
            slots.setdefault(photo, set()).add(slot)
    return slots


def _clustering(merges: list[tuple[int, int, float, int]], n: int) -> Clustering:
    """Number the merges by distance, as SciPy does, and the groups that are left by size."""
    order = sorted(range(len(merges)), key=lambda i: merges[i][2])
    number = np.arange(n)
    parent = np.arange(n)
    table = np.zeros((len(merges), 4))
    for row, i in enumerate(order):
        kept, gone, distance, _ = merges[i]
        a, b = _root(parent, kept), _root(parent, gone)
        table[row, :3] = *sorted((number[a], number[b])), distance
        parent[max(a, b)] = min(a, b)
        number[min(a, b)] = n + row
    sizes = np.concatenate([np.ones(n), np.zeros(len(merges))])
    for row in range(len(merges)):
        table[row, 3] = sizes[n + row] = sizes[int(table[row, 0])] + sizes[int(table[row, 1])]
    roots = np.array([_root(parent, i) for i in range(n)], np.int64)
    return Clustering(_by_size(roots), table)


def _root(parent: NDArray[np.int64], i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = int(parent[i])
    return i


def _by_size(roots: NDArray[np.int64]) -> NDArray[np.int32]:
    """Labels 0, 1, ... from the largest group on; equal ones by their first member."""
    firsts, index, sizes = np.unique(roots, return_inverse=True, return_counts=True)
    rank = np.empty(len(firsts), np.int32)
    rank[np.lexsort((firsts, -sizes))] = np.arange(len(firsts), dtype=np.int32)
    return rank[index] if len(roots) else np.zeros(0, np.int32)
