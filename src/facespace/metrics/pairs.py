"""Verification metrics of given pairs: distances, and whether each pair shows the same person."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.metrics.operating_point import OperatingPoint, supported


def roc(
    distance: NDArray[np.floating[Any]], same: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The ROC, one point a distinct distance, from accepting nothing to accepting all.

    Args:
        distance: shape (N,).
        same: shape (N,), True for pairs of one person.

    Returns:
        far, tar and threshold, each shape (K + 1,) for K distinct distances, all rising; a pair is accepted
        when its distance <= threshold; the first threshold is below every distance.

    Raises:
        InputError: other shapes, or values that are not finite.
    """
    distances, same = _checked(distance, same)
    order = np.argsort(distances, kind="stable")
    thresholds = np.unique(distances)
    counted = np.searchsorted(distances[order], thresholds, side="right")
    n_same = np.concatenate([[0], np.cumsum(same[order])])[counted]
    n_diff = counted - n_same
    far = np.concatenate([[0.0], n_diff / max(1, (~same).sum())])
    tar = np.concatenate([[0.0], n_same / max(1, same.sum())])
    return far, tar, np.concatenate([[-np.inf], thresholds])


def det(
    distance: NDArray[np.floating[Any]], same: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The detection error trade-off: FAR, FRR (= 1 - TAR) and threshold, as `roc` gives them.

    Source: Martin et al. 1997, "The DET curve in assessment of detection task performance".

    Raises:
        InputError: as for `auc`: without both kinds of pairs one of the errors does not exist.
    """
    far, tar, threshold = roc(*_both_kinds(distance, same))
    return far, 1.0 - tar, threshold


def tar_at_far(distance: NDArray[np.floating[Any]], same: NDArray[np.bool_], far: float) -> OperatingPoint:
    """TAR at the largest threshold whose FAR is at most ``far``; exact, pairs of equal distance go together.

    Raises:
        InputError: as for `roc`, or a FAR outside (0, 1].
    """
    if not 0.0 < far <= 1.0:
        raise InputError(f"far: expected a rate in (0, 1], got {far}")
    distances, same = _checked(distance, same)
    n_same, n_diff = int(same.sum()), int((~same).sum())
    if refusal := supported(far, n_same, n_diff):
        return refusal
    fars, tars, thresholds = roc(distances, same)
    at = int(np.searchsorted(fars, far + 1e-12, side="right")) - 1
    tar = float(tars[at])
    return OperatingPoint(far, tar, float(thresholds[at]), float(fars[at]), n_same, n_diff, tar_high=tar)


def auc(distance: NDArray[np.floating[Any]], same: NDArray[np.bool_]) -> float:
    """Area under the ROC: the chance that a same pair is nearer than a different pair, ties counting half.

    Raises:
        InputError: as for `roc`, or pairs of one kind only.
    """
    far, tar, _ = roc(*_both_kinds(distance, same))
    return float(np.trapezoid(tar, far))


def eer(distance: NDArray[np.floating[Any]], same: NDArray[np.bool_]) -> tuple[float, float]:
    """Equal error rate, where FAR = 1 - TAR, and its threshold, both interpolated along the ROC.

    Raises:
        InputError: as for `auc`.
    """
    far, tar, threshold = roc(*_both_kinds(distance, same))
    gap = far - (1.0 - tar)
    after = int(np.argmax(gap >= 0))
    before = after - 1
    part = -gap[before] / (gap[after] - gap[before])
    rate = far[before] + part * (far[after] - far[before])
    low = threshold[before] if np.isfinite(threshold[before]) else threshold[after]
    return float(rate), float(low + part * (threshold[after] - low))


def _checked(
    distance: NDArray[np.floating[Any]], same: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    distances, truth = np.asarray(distance, np.float64), np.asarray(same, bool)
    if distances.ndim != 1 or distances.shape != truth.shape:
        raise InputError(
            f"expected distance and same of one shape (N,), got {distances.shape} and {truth.shape}"
        )
    if not np.isfinite(distances).all():
        raise InputError("distance: expected finite values, got NaN or infinity; drop those pairs")
    return distances, truth


def _both_kinds(
    distance: NDArray[np.floating[Any]], same: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    distances, truth = _checked(distance, same)
    if truth.all() or not truth.any():
        raise InputError("expected pairs of the same and of different people, got one kind only")
    return distances, truth
