"""VAL and FAR over all pairs (paper, section 4) without ever holding N x N.

Distances are counted on a grid of 2**18 steps over [0, 4], so a threshold is exact to 1.6e-5, and a rate is that
of the pairs up to the threshold stated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.distance import check_embeddings
from facespace.errors import InputError
from facespace.metrics.operating_point import OperatingPoint, supported

__all__ = ["PairCounts", "all_pairs", "count_pairs"]

N_STEPS = 2**18
STEPS_PER_UNIT = N_STEPS / 4.0
BLOCK_ROWS = 512


@dataclass(frozen=True)
class PairCounts:
    """How many pairs lie in each step of the grid: step k holds distances in (k - 1, k] / STEPS_PER_UNIT.

    Attributes:
        same: int64, shape (N_STEPS + 1,), pairs of one person.
        diff: int64, shape (N_STEPS + 1,), pairs of two persons.
    """

    same: NDArray[np.int64]
    diff: NDArray[np.int64]

    def tar_at_far(self, far: float) -> OperatingPoint:
        """TAR at the largest step whose FAR is at most ``far``."""
        n_same, n_diff = int(self.same.sum()), int(self.diff.sum())
        if refusal := supported(far, n_same, n_diff):
            return refusal
        accepted = np.cumsum(self.diff)
        step = int(np.searchsorted(accepted, far * n_diff + 1e-9, side="right")) - 1
        # The last step that holds a pair: a threshold is a distance that was seen.
        occupied = np.flatnonzero(self.same[: step + 1] + self.diff[: step + 1])
        if not len(occupied):
            return OperatingPoint(far, 0.0, 0.0, 0.0, n_same, n_diff)
        step = int(occupied[-1])
        tar = float(self.same[: step + 1].sum() / n_same)
        return OperatingPoint(far, tar, step / STEPS_PER_UNIT, float(accepted[step] / n_diff), n_same, n_diff)


def all_pairs(
    embeddings: NDArray[np.float32], labels: NDArray[np.int64], *, fars: Sequence[float] = (1e-3,)
) -> list[OperatingPoint]:
    """TAR at each FAR over A x A: all pairs i < j of one set, no face with itself.

    Args:
        embeddings: unit rows, shape (N, D).
        labels: identities, shape (N,).
        fars: the rates asked for.

    Raises:
        InputError: other shapes or rows that are not of unit length.
    """
    counts = count_pairs(embeddings, labels)
    return [counts.tar_at_far(far) for far in fars]


def count_pairs(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    other: NDArray[np.float32] | None = None,
    other_labels: NDArray[np.int64] | None = None,
) -> PairCounts:
    """Count the distances of A x A (i < j), or of A x B when a second set is given, block by block.

    Raises:
        InputError: other shapes or rows that are not of unit length.
    """
    rows, row_labels = _checked(embeddings, labels)
    itself = other is None or other_labels is None
    columns, column_labels = (
        (rows, row_labels) if other is None or other_labels is None else _checked(other, other_labels)
    )
    same, diff = np.zeros(N_STEPS + 1, np.int64), np.zeros(N_STEPS + 1, np.int64)
    for start in range(0, len(rows), BLOCK_ROWS):
        block = slice(start, start + BLOCK_ROWS)
        first = start if itself else 0
        steps = _steps(rows[block], columns[first:])
        alike = row_labels[block, None] == column_labels[None, first:]
        if itself:
            later = np.arange(steps.shape[1])[None, :] > np.arange(steps.shape[0])[:, None]
            same += np.bincount(steps[alike & later], minlength=N_STEPS + 1)
            diff += np.bincount(steps[~alike & later], minlength=N_STEPS + 1)
        else:
            same += np.bincount(steps[alike], minlength=N_STEPS + 1)
            diff += np.bincount(steps[~alike], minlength=N_STEPS + 1)
    return PairCounts(same, diff)


def _steps(rows: NDArray[np.float32], columns: NDArray[np.float32]) -> NDArray[np.int32]:
    distance = 2.0 - 2.0 * (rows @ columns.T)
    return np.clip(np.ceil(distance * STEPS_PER_UNIT), 0, N_STEPS).astype(np.int32)


def _checked(
    embeddings: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rows, identities = check_embeddings(embeddings), np.asarray(labels)
    if identities.shape != (len(rows),):
        raise InputError(f"labels: expected shape ({len(rows)},), got {identities.shape}")
    return rows, identities
