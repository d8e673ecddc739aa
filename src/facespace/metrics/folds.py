"""Accuracy by folds, the LFW protocol: the threshold comes from the other folds (paper, section 5.6)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.metrics.pairs import tar_at_far


@dataclass(frozen=True)
class FoldAccuracy:
    """Accuracy over folds."""

    mean: float  # mean of the folds' accuracies
    se: float  # standard error of that mean (sample deviation over the root of the number of folds)
    accuracies: tuple[float, ...]  # one a fold
    thresholds: tuple[float, ...]  # the distance chosen on the other folds, one a fold


def best_threshold(distance: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """The distance that decides most of the pairs, shape (N,) each, rightly.

    It lies half-way between two neighbouring distances; of several that do equally well the smallest is taken.
    """
    order = np.argsort(distance, kind="stable")
    ordered, truth = np.asarray(distance, np.float64)[order], np.asarray(same, bool)[order]
    ends = np.flatnonzero(np.append(ordered[1:] > ordered[:-1], True))
    right = np.cumsum(truth)[ends] - np.cumsum(~truth)[ends]
    best = np.flatnonzero(right == right.max())[0]
    low = ordered[ends[best]]
    high = ordered[ends[best] + 1] if ends[best] + 1 < len(ordered) else low
    return float((low + high) / 2.0)


def kfold_accuracy(
    distance: NDArray[np.float32], same: NDArray[np.bool_], folds: NDArray[np.int64]
) -> FoldAccuracy:
    """Mean accuracy over folds, each judged at the threshold that is best on all the others.

    Args:
        distance: shape (N,).
        same: shape (N,).
        folds: shape (N,), the number of each pair's fold.

    Raises:
        InputError: other shapes, values that are not finite, or fewer than two folds.
    """
    distances, truth, numbers, names = _checked(distance, same, folds)
    thresholds = [best_threshold(distances[numbers != k], truth[numbers != k]) for k in names]
    accuracies = [
        float(np.mean((distances[numbers == k] <= threshold) == truth[numbers == k]))
        for k, threshold in zip(names, thresholds, strict=True)
    ]
    se = float(np.std(accuracies, ddof=1) / np.sqrt(len(names)))
    return FoldAccuracy(float(np.mean(accuracies)), se, tuple(accuracies), tuple(thresholds))


def kfold_tar(
    distance: NDArray[np.float32], same: NDArray[np.bool_], folds: NDArray[np.int64], far: float
) -> tuple[float, float] | None:
    """Mean and standard error over folds of TAR, each at the distance of ``far`` on all the other folds.

    The "validation rate" of facenet's reports. None where the other folds' pairs do not support the FAR, or a fold has
    no same-person pairs; arguments and errors as for `kfold_accuracy`.
    """
    distances, truth, numbers, names = _checked(distance, same, folds)
    tars = []
    for k in names:
        inside = numbers == k
        threshold = tar_at_far(distances[~inside], truth[~inside], far).threshold
        if threshold is None or not truth[inside].any():
            return None
        tars.append(float((distances[inside & truth] <= threshold).mean()))
    return float(np.mean(tars)), float(np.std(tars, ddof=1) / np.sqrt(len(tars)))


def _checked(
    distance: NDArray[np.float32], same: NDArray[np.bool_], folds: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """The three arrays and the names of the folds."""
    distances, truth, numbers = np.asarray(distance, np.float64), np.asarray(same, bool), np.asarray(folds)
    if not distances.shape == truth.shape == numbers.shape or distances.ndim != 1:
        raise InputError(
            "expected distance, same and folds of one shape (N,), got "
            f"{distances.shape}, {truth.shape}, {numbers.shape}"
        )
    if not np.isfinite(distances).all():
        raise InputError("distance: expected finite values, got NaN or infinity")
    names = np.unique(numbers)
    if len(names) < 2:
        raise InputError(
            f"folds: expected at least two, got {len(names)}: the threshold must come from others"
        )
    return distances, truth, numbers, names
