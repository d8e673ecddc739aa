"""Average precision of a face detector, by WIDER FACE's published protocol: arrays only.

Yang et al., "WIDER FACE: a face detection benchmark" (2016), section 5, as its evaluation code has it. Scores are
stretched to 0..1 over all pictures. Found faces of a picture are taken from the highest score down; each stands for
the labelled face that it overlaps most, if by ``iou`` or more. One that stands for a face outside the subset does
not count; a second one for the same face is a false alarm. Precision and recall are read at 1,000 levels of the
score, and the area under the curve is taken as in PASCAL VOC: precision made monotonic, all points.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError

LEVELS = 1000

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class FoundFaces:
    """What a detector found in one picture: boxes (N, 4) in pixels, scores (N,), in any order."""

    boxes_xyxy: Floats
    scores: NDArray[np.floating[Any]]


@dataclass(frozen=True)
class LabelledFaces:
    """The labelled faces of one picture: boxes (M, 4) in pixels, and which of them count in the subset, bool (M,)."""

    boxes_xyxy: Floats
    counts: NDArray[np.bool_]


@dataclass(frozen=True)
class AveragePrecision:
    """The curve of one subset, and the area under it."""

    ap: float  # average precision
    # float64, shape (levels,), from the strictest level on; NaN where nothing is found
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]  # float64, shape (levels,)
    n_faces: int  # labelled faces that count


def average_precision(
    found: Sequence[FoundFaces], labelled: Sequence[LabelledFaces], *, iou: float = 0.5, levels: int = LEVELS
) -> AveragePrecision:
    """Average precision over pictures; ``found`` and ``labelled`` are of the same pictures, in the same order.

    As in the published code, what is found in a picture without any labelled face does not count.

    Raises:
        InputError: not one entry a picture, or no labelled face counts.
    """
    if len(found) != len(labelled):
        raise InputError(f"expected found faces of {len(labelled)} pictures, got {len(found)}")
    n_faces = sum(int(picture.counts.sum()) for picture in labelled)
    if not n_faces:
        raise InputError(
            "expected at least one labelled face that counts, there is none: no precision without"
        )
    totals = np.zeros((levels, 2))
    for stretched, truth in zip(_stretched(found), labelled, strict=True):
        if len(stretched.scores) and len(truth.counts):
            totals += _at_levels(stretched, truth, iou, levels)
    with np.errstate(invalid="ignore"):
        precision, recall = totals[:, 1] / totals[:, 0], totals[:, 1] / n_faces
    return AveragePrecision(_area_under(recall, np.nan_to_num(precision)), precision, recall, n_faces)


def overlaps(a: Floats, b: Floats) -> NDArray[np.float64]:
    """Intersection over union of boxes (N, 4) and (M, 4), shape (N, M), both ends of a side counted (+ 1 px)."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    inner = np.maximum(high - low + 1, 0).prod(-1)
    areas_a, areas_b = (a[:, 2:] - a[:, :2] + 1).prod(1), (b[:, 2:] - b[:, :2] + 1).prod(1)
    return inner / (areas_a[:, None] + areas_b[None] - inner)


def _stretched(found: Sequence[FoundFaces]) -> list[FoundFaces]:
    """Scores stretched to 0..1 over all pictures, and each picture's faces from the highest score down."""
    scores = np.concatenate([picture.scores for picture in found] or [np.zeros(0, np.float32)])
    if not len(scores):
        return list(found)
    low, span = float(scores.min()), float(np.ptp(scores)) or 1.0
    ordered = []
    for picture in found:
        order = np.argsort(-picture.scores, kind="stable")
        stretched = (picture.scores[order].astype(np.float64) - low) / span
        ordered.append(FoundFaces(picture.boxes_xyxy[order], stretched))
    return ordered


def _at_levels(found: FoundFaces, truth: LabelledFaces, iou: float, levels: int) -> NDArray[np.float64]:
    """Found faces that count, and labelled faces met, at each level: shape (levels, 2)."""
    counts, met = _taken(overlaps(found.boxes_xyxy, truth.boxes_xyxy), truth.counts, iou)
    thresholds = 1 - (np.arange(levels) + 1) / levels
    n_taken = np.searchsorted(-found.scores, -thresholds, side="right")
    both = np.stack([np.cumsum(counts), np.cumsum(met)], 1).astype(np.float64)
    return np.concatenate([np.zeros((1, 2)), both])[n_taken]


def _taken(
    overlap: NDArray[np.float64], in_subset: NDArray[np.bool_], iou: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of each found face, best first: whether it counts, and whether it is the first to stand for a labelled one."""
    nearest, near = overlap.argmax(1), overlap.max(1) >= iou
    counts = ~near | in_subset[nearest]
    met = np.zeros(len(overlap), np.bool_)
    right = np.flatnonzero(near & in_subset[nearest])
    met[right[np.unique(nearest[right], return_index=True)[1]]] = True
    return counts, met


def _area_under(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    """Area under the curve with precision made monotonic from the right, all points (VOC 2010)."""
    x = np.concatenate([[0.0], recall, [1.0]])
    y = np.maximum.accumulate(np.concatenate([[0.0], precision, [0.0]])[::-1])[::-1]
    steps = np.flatnonzero(x[1:] != x[:-1])
    return float(((x[steps + 1] - x[steps]) * y[steps + 1]).sum())
