"""Found faces beside labelled ones: overlap, and who stands for whom."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.faces.detections import Detections

FALSE_ALARM, IGNORED = -1, -2

Boxes = NDArray[np.float32]


@dataclass(frozen=True)
class Matching:
    """The outcome of one picture.

    Attributes:
        truth_idx: int64, shape (N,): of each found face the labelled one it stands for, or FALSE_ALARM, or
            IGNORED where it lies in a region that does not count.
        found_idx: int64, shape (M,): of each labelled face the one found for it, or -1.
    """

    truth_idx: NDArray[np.int64]
    found_idx: NDArray[np.int64]


def box_iou(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """Intersection over union of all pairs of boxes (N, 4) and (M, 4), shape (N, M)."""
    overlap = _overlap(a, b)
    union = _areas(a)[:, None] + _areas(b)[None] - overlap
    return overlap / np.maximum(union, np.float32(1e-9))


def match_faces(found: Detections, truth: Boxes, ignored: Boxes, *, iou: float = 0.5) -> Matching:
    """Pair found and labelled faces greedily, best score first, where they overlap by ``iou`` or more.

    A face that is left over does not count when at least half of it lies in one of the ``ignored`` regions
    (M, 4), or overlaps it by ``iou``.
    """
    overlaps = box_iou(found.boxes_xyxy, truth)
    truth_idx = np.full(len(found), FALSE_ALARM, np.int64)
    found_idx = np.full(len(truth), -1, np.int64)
    for i in np.argsort(-found.scores, kind="stable"):
        free = np.where(found_idx < 0, overlaps[i], 0.0)
        if len(free) and free.max() >= iou:
            truth_idx[i] = free.argmax()
            found_idx[truth_idx[i]] = i
    if len(ignored):
        share = _overlap(found.boxes_xyxy, ignored) / np.maximum(_areas(found.boxes_xyxy), 1e-9)[:, None]
        inside = (share.max(1) >= 0.5) | (box_iou(found.boxes_xyxy, ignored).max(1) >= iou)
        truth_idx[(truth_idx == FALSE_ALARM) & inside] = IGNORED
    return Matching(truth_idx, found_idx)


def _overlap(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    return np.maximum(high - low, np.float32(0)).prod(-1, dtype=np.float32)


def _areas(boxes: Boxes) -> NDArray[np.float32]:
    return np.maximum(boxes[:, 2:] - boxes[:, :2], np.float32(0)).prod(-1, dtype=np.float32)
