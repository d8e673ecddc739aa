"""Groups as sums: a mean, a scatter and a size each, which is all that average linkage and Ward need.

The mean of all squared distances between two groups is the squared distance of their means plus their scatters
(the mean squared distance of a group's members to its mean). Ward's distance is the growth of the sum of squares
when two groups join, doubled, so that for two single faces it is their squared distance (SciPy's is its root).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facespace.distances import check_embeddings

GroupLinkage = Literal["average", "ward"]
PAIRS_AT_ONCE = 2**12


@dataclass
class Groups:
    """Groups of unit rows in numbered slots; a merge keeps one slot of two.

    Attributes:
        mean: float32, shape (M, D).
        scatter: float64, shape (M,).
        size: float64, shape (M,).
        linkage: what distance means.
    """

    mean: NDArray[np.float32]
    scatter: NDArray[np.float64]
    size: NDArray[np.float64]
    linkage: GroupLinkage

    @classmethod
    def of_faces(
        cls, rows: NDArray[np.float32], start: NDArray[np.int64], linkage: GroupLinkage = "average"
    ) -> "Groups":
        """Groups of faces.

        Args:
            rows: unit rows, shape (N, D).
            start: int64, shape (N,), the slot 0 .. M - 1 that each face begins in.
            linkage: what distance means.
        """
        return cls(rows, np.zeros(len(rows)), np.ones(len(rows)), linkage).joined(start)

    def joined(self, start: NDArray[np.int64]) -> "Groups":
        """The groups that these make together; ``start``, shape (M,), is the new slot of each."""
        order = np.argsort(start, kind="stable")
        size = np.bincount(start, self.size).astype(np.float64)
        if len(size) == len(order):
            return self.subset(order)
        begins = np.searchsorted(start[order], np.arange(len(size)))
        single = np.diff(begins, append=len(order)) == 1
        sums = self.mean if (self.size == 1).all() else self.mean * self.size[:, None]
        mean = np.add.reduceat(sums[order], begins, dtype=np.float64) / size[:, None]
        squares = self.scatter + np.einsum("ij,ij->i", self.mean, self.mean, dtype=np.float64)
        scatter = np.maximum(np.bincount(start, self.size * squares) / size - (mean**2).sum(1), 0.0)
        scatter[single] = self.scatter[order[begins[single]]]
        return Groups(mean.astype(np.float32), scatter, size, self.linkage)

    def subset(self, slots: NDArray[np.integer]) -> "Groups":
        """Some of the groups, in slots 0, 1, ..."""
        return Groups(self.mean[slots], self.scatter[slots], self.size[slots], self.linkage)

    def distance(self, a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.float32]:
        """Distances of slots ``a`` to slots ``b``, both of shape (P,); the same either way round, to the bit."""
        distance = np.empty(len(a), np.float32)
        for begin in range(0, len(a), PAIRS_AT_ONCE):
            part = slice(begin, begin + PAIRS_AT_ONCE)
            distance[part] = self._distance(a[part], b[part])
        return distance

    def _distance(self, a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.float64]:
        gap = self.mean[a]
        gap -= self.mean[b]
        squares = np.einsum("ij,ij->i", gap, gap).astype(np.float64)
        if self.linkage == "ward":
            return squares * 2.0 / (1.0 / self.size[a] + 1.0 / self.size[b])
        return squares + (self.scatter[a] + self.scatter[b])

    def merge(self, kept: NDArray[np.integer], gone: NDArray[np.integer]) -> None:
        """Join slots pairwise; no slot may occur twice."""
        n_a, n_b = self.size[kept], self.size[gone]
        share = n_b / (n_a + n_b)
        gap = self.mean[gone] - self.mean[kept]
        squares = np.einsum("ij,ij->i", gap, gap).astype(np.float64)
        self.scatter[kept] += (
            share * (self.scatter[gone] - self.scatter[kept]) + share * (1 - share) * squares
        )
        self.mean[kept] += share.astype(np.float32)[:, None] * gap
        self.size[kept] = n_a + n_b


def tightness(embeddings: NDArray[np.float32], labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Mean distance between the faces of each group, shape (K,) for labels 0 .. K - 1; nan for a single face.

    Raises:
        InputError: other shapes or rows that are not of unit length.
    """
    rows = check_embeddings(embeddings)
    present, start = np.unique(labels, return_inverse=True)
    groups = Groups.of_faces(rows, start)
    found = np.full(int(np.max(labels, initial=-1)) + 1, np.nan, np.float32)
    several = groups.size > 1
    # The mean over ordered pairs, a face with itself among them, is twice the scatter.
    found[present[several]] = (2.0 * groups.scatter * groups.size / np.maximum(groups.size - 1, 1))[several]
    return found
