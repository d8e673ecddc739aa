"""Agglomerative clustering on an explicit distance matrix: small sets, what is left of large ones, complete linkage.

Chains of nearest neighbours find the tree of always merging the closest two, for every reducible linkage
(Müllner 2011, arXiv:1109.2378); distances are brought up to date by the formula of Lance and Williams.
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from facespace.cluster.groups import Groups
from facespace.cluster.tree import Merges

Matrix = NDArray[np.floating[Any]]
SMALL = 2048
ROWS_AT_ONCE = 128


def group_matrix(groups: Groups, slots: NDArray[np.int64]) -> Matrix:
    """Distances between the slots, shape (M, M), infinite on the diagonal; float64 up to 2,048 slots."""
    kind: type[np.floating[Any]] = np.float64 if len(slots) <= SMALL else np.float32
    mean = groups.mean[slots].astype(kind)
    matrix = _squared(mean)
    if groups.linkage == "ward":
        inverse = (1.0 / groups.size[slots]).astype(kind)
        matrix *= 2.0
        matrix /= inverse[:, None] + inverse
    else:
        scatter = groups.scatter[slots].astype(kind)
        matrix += scatter[:, None]
        matrix += scatter
    np.fill_diagonal(matrix, np.inf)
    return matrix


def complete_matrix(rows: NDArray[np.float32], start: NDArray[np.int64]) -> Matrix:
    """The largest distance between the faces of each two groups, shape (M, M), infinite on the diagonal."""
    matrix = _squared(rows)
    n_groups = int(start.max(initial=-1)) + 1
    if n_groups < len(rows):
        order = np.argsort(start, kind="stable")
        begins = np.searchsorted(start[order], np.arange(n_groups))
        matrix = np.maximum.reduceat(matrix[order], begins, axis=0)
        matrix = np.maximum.reduceat(matrix[:, order], begins, axis=1)
    np.fill_diagonal(matrix, np.inf)
    return matrix


def _squared(rows: Matrix) -> Matrix:
    squares = np.einsum("ij,ij->i", rows, rows)
    matrix = rows @ rows.T
    matrix *= -2.0
    # Summed first, so that the matrix is symmetric to the last bit.
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        part = slice(begin, begin + ROWS_AT_ONCE)
        matrix[part] += squares[part, None] + squares
    return np.maximum(matrix, 0.0, out=matrix)


def chain(
    matrix: Matrix,
    size: NDArray[np.float64],
    linkage: Literal["average", "ward", "complete"],
    limit: float,
) -> Merges:
    """All merges of rows up to ``limit``; the matrix is used up.

    Args:
        matrix: symmetric, shape (M, M); infinite on the diagonal and between groups that may not join.
        size: faces of each group, shape (M,).
        linkage: how the distance of a merged group follows from those of its parts.
        limit: largest distance of a merge.
    """
    size, alive = size.copy(), np.ones(len(size), bool)
    merges: list[tuple[int, int, float]] = []
    path: list[int] = []
    start = 0
    while True:
        if not path:
            while start < len(alive) and not alive[start]:
                start += 1
            if start == len(alive):
                return Merges.of(merges)
            path.append(start)
        top = path[-1]
        row = matrix[top]
        nearest = int(row.argmin())
        # On a tie the one before it, so that chains end.
        if len(path) > 1 and row[path[-2]] <= row[nearest]:
            nearest = path[-2]
        distance = float(row[nearest])
        if not distance <= limit or distance == np.inf:
            # Its neighbours only move away from it, so that this group is complete.
            _forget(matrix, alive, top)
            path.pop()
        elif len(path) > 1 and nearest == path[-2]:
            del path[-2:]
            kept, gone = min(top, nearest), max(top, nearest)
            merges.append((kept, gone, distance))
            _join(matrix, size, kept, gone, linkage)
            _forget(matrix, alive, gone)
        else:
            path.append(nearest)


def _forget(matrix: Matrix, alive: NDArray[np.bool_], slot: int) -> None:
    alive[slot] = False
    matrix[slot] = np.inf
    matrix[:, slot] = np.inf


def _join(matrix: Matrix, size: NDArray[np.float64], kept: int, gone: int, linkage: str) -> None:
    n_a, n_b = size[kept], size[gone]
    a, b = matrix[kept], matrix[gone]
    if linkage == "average":
        row = (n_a * a + n_b * b) / (n_a + n_b)
    elif linkage == "complete":
        row = np.maximum(a, b)
    else:
        row = ((n_a + size) * a + (n_b + size) * b - size * matrix[kept, gone]) / (n_a + n_b + size)
    row[kept] = np.inf
    matrix[kept] = row
    matrix[:, kept] = row
    size[kept] = n_a + n_b
