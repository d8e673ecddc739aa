"""How well found groups agree with the true ones: pairwise, BCubed, purity, adjusted Rand, and how many there are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError


@dataclass(frozen=True)
class ClusterScores:
    """Agreement of found groups with true ones, each in [0, 1]."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class ClusterReport:
    """All scores of one grouping."""

    pairwise: ClusterScores  # over pairs of faces
    bcubed: ClusterScores  # over faces
    purity: float  # share of the faces that belong to the person their group has most of
    adjusted_rand: float  # pairs judged alike, corrected for chance; 1 is perfect, 0 is chance
    n_true: int  # people there are
    n_found: int  # groups found


def cluster_report(truth: NDArray[np.int64], found: NDArray[np.int64]) -> ClusterReport:
    """All scores; arguments and errors as of `pairwise_scores`."""
    return ClusterReport(
        pairwise_scores(truth, found),
        bcubed_scores(truth, found),
        purity(truth, found),
        adjusted_rand(truth, found),
        len(np.unique(truth)),
        len(np.unique(found)),
    )


def purity(truth: NDArray[np.int64], found: NDArray[np.int64]) -> float:
    """Share of the faces that belong to the person their group has most of; 1 for no faces.

    Raises:
        InputError: other shapes.
    """
    table = _contingency(truth, found)
    most = np.zeros(len(table.found_sizes), np.int64)
    np.maximum.at(most, table.column, table.count)
    return float(most.sum() / len(truth)) if len(truth) else 1.0


def adjusted_rand(truth: NDArray[np.int64], found: NDArray[np.int64]) -> float:
    """Agreement over pairs, corrected for chance (Hubert and Arabie 1985, "Comparing partitions").

    Raises:
        InputError: other shapes.
    """
    table = _contingency(truth, found)
    together, true, put = _pairs(table.count), _pairs(table.true_sizes), _pairs(table.found_sizes)
    n = len(truth)
    expected = true * put / (n * (n - 1) / 2) if n > 1 else 0.0
    most = (true + put) / 2
    return 1.0 if most == expected else float((together - expected) / (most - expected))


def pairwise_scores(truth: NDArray[np.int64], found: NDArray[np.int64]) -> ClusterScores:
    """Over pairs of faces: how many put together belong together, how many that belong are together.

    A side without any pair counts as perfect: nothing was asked of it.

    Args:
        truth: true identities, shape (N,).
        found: labels found, shape (N,).

    Raises:
        InputError: other shapes.
    """
    table = _contingency(truth, found)
    together, true, put = _pairs(table.count), _pairs(table.true_sizes), _pairs(table.found_sizes)
    precision = together / put if put else 1.0
    recall = together / true if true else 1.0
    return _scores(precision, recall)


def bcubed_scores(truth: NDArray[np.int64], found: NDArray[np.int64]) -> ClusterScores:
    """Over faces: the mean share of a face's group that is its person, and of its person that is in its group.

    Source: Amigo et al. 2009, "A comparison of extrinsic clustering evaluation metrics", section 4.

    Raises:
        InputError: other shapes.
    """
    table, n = _contingency(truth, found), len(truth)
    if n == 0:
        return ClusterScores(1.0, 1.0, 1.0)
    squares = table.count.astype(np.float64) ** 2
    precision = float((squares / table.found_sizes[table.column]).sum() / n)
    recall = float((squares / table.true_sizes[table.row]).sum() / n)
    return _scores(precision, recall)


@dataclass(frozen=True)
class _Contingency:
    """The cells of true group (row) by found group (column) that hold faces, and the sizes of both kinds of group."""

    row: NDArray[np.int64]
    column: NDArray[np.int64]
    count: NDArray[np.int64]
    true_sizes: NDArray[np.int64]
    found_sizes: NDArray[np.int64]


def _contingency(truth: NDArray[np.int64], found: NDArray[np.int64]) -> _Contingency:
    truth, found = np.asarray(truth), np.asarray(found)
    if truth.ndim != 1 or truth.shape != found.shape:
        raise InputError(
            f"expected true and found labels of one shape (N,), got {truth.shape}, {found.shape}"
        )
    _, rows, true_sizes = np.unique(truth, return_inverse=True, return_counts=True)
    _, columns, found_sizes = np.unique(found, return_inverse=True, return_counts=True)
    cells, count = np.unique(rows.astype(np.int64) * len(found_sizes) + columns, return_counts=True)
    width = max(1, len(found_sizes))
    return _Contingency(cells // width, cells % width, count, true_sizes, found_sizes)


def _pairs(sizes: NDArray[np.int64]) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def _scores(precision: float, recall: float) -> ClusterScores:
    total = precision + recall
    return ClusterScores(precision, recall, 2 * precision * recall / total if total else 0.0)
