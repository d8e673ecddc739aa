"""How well found groups agree with the true ones: pairwise and BCubed precision, recall and F1."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError

__all__ = ["ClusterScores", "bcubed_scores", "pairwise_scores"]


@dataclass(frozen=True)
class ClusterScores:
    """Agreement of found groups with true ones, each in [0, 1]."""

    precision: float
    recall: float
    f1: float


def pairwise_scores(truth: NDArray[np.int64], found: NDArray[np.int64]) -> ClusterScores:
    """Over pairs of faces: how many put together belong together, how many that belong are together.

    A side without any pair counts as perfect: nothing was asked of it.

    Args:
        truth: true identities, shape (N,).
        found: labels found, shape (N,).

    Raises:
        InputError: other shapes.
    """
    table, true_sizes, found_sizes = _contingency(truth, found)
    together = _pairs(table)
    precision = together / _pairs(found_sizes) if _pairs(found_sizes) else 1.0
    recall = together / _pairs(true_sizes) if _pairs(true_sizes) else 1.0
    return _scores(precision, recall)


def bcubed_scores(truth: NDArray[np.int64], found: NDArray[np.int64]) -> ClusterScores:
    """Over faces: the mean share of a face's group that is its person, and of its person that is in its group.

    Source: Amigo et al. 2009, "A comparison of extrinsic clustering evaluation metrics", section 4.

    Raises:
        InputError: other shapes.
    """
    table, true_sizes, found_sizes = _contingency(truth, found)
    n = int(true_sizes.sum())
    if n == 0:
        return ClusterScores(1.0, 1.0, 1.0)
    squares = table.astype(np.float64) ** 2
    precision = float((squares / found_sizes[None, :]).sum() / n)
    recall = float((squares / true_sizes[:, None]).sum() / n)
    return _scores(precision, recall)


def _contingency(
    truth: NDArray[np.int64], found: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Faces of each true (rows) and found (columns) group, and the sizes of both kinds of group."""
    truth, found = np.asarray(truth), np.asarray(found)
    if truth.ndim != 1 or truth.shape != found.shape:
        raise InputError(
            f"expected true and found labels of one shape (N,), got {truth.shape}, {found.shape}"
        )
    names, rows = np.unique(truth, return_inverse=True)
    groups, columns = np.unique(found, return_inverse=True)
    table = np.zeros((len(names), len(groups)), np.int64)
    np.add.at(table, (rows, columns), 1)
    return table, table.sum(1), table.sum(0)


def _pairs(sizes: NDArray[np.int64]) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def _scores(precision: float, recall: float) -> ClusterScores:
    total = precision + recall
    return ClusterScores(precision, recall, 2 * precision * recall / total if total else 0.0)
