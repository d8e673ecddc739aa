"""What a detector's outputs mean: our own layout, YuNet's and SCRFD's, from raw arrays to candidate faces.

Only cells whose score passes the threshold are decoded; all coordinates are pixels of the network's input.
Sources: Wu et al., "YuNet" (2023) and OpenCV's FaceDetectorYN; Guo et al., "Sample and computation
redistribution for efficient face detection" (SCRFD, 2021).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.faces.detections import Detections

STRIDES = (8, 16, 32)
OWN_OUTPUTS = ("map_8", "map_16", "map_32")
OWN_SIDE_UNIT = 4.0  # a box side is exp(output) * this many strides
SCRFD_ANCHORS = 2

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Layout:
    """How to feed a kind of detector and to read it.

    Attributes:
        name: "facespace", "yunet" or "scrfd".
        colour: channel order that the network expects.
        mean: subtracted from pixel values 0..255.
        std: then divides them.
        score_threshold: usual for this kind; a file that is ours states its own.
        decode: raw outputs by name, columns of the input and threshold -> candidates, in no order, also several of
            one face.
    """

    name: str
    colour: str
    mean: float
    std: float
    score_threshold: float
    decode: Callable[[Mapping[str, Array], int, float], Detections]


def decode_own(outputs: Mapping[str, Array], width: int, threshold: float) -> Detections:
    """Our layout: for each stride s a map (1, 15, H/s, W/s): logit, box (dx, dy, log w, log h), landmarks."""
    logit = _logit(threshold)
    values, cells, strides = [], [], []
    for stride, name in zip(STRIDES, OWN_OUTPUTS, strict=True):
        flat = outputs[name].reshape(15, -1)
        index = np.flatnonzero(flat[0] >= logit)
        values.append(flat[:, index])
        cells.append(_cells(index, width, stride, offset=0.5))
        strides.append(np.full(len(index), stride, np.float32))
    return _own_faces(np.concatenate(values, 1).T, np.concatenate(cells), np.concatenate(strides)[:, None])


def _own_faces(values: Array, cells: Array, strides: Array) -> Detections:
    centre = cells - np.float32(0.5) + values[:, 1:3] * strides
    sides = np.exp(np.clip(values[:, 3:5], -6, 6)) * (np.float32(OWN_SIDE_UNIT) * strides)
    landmarks = centre[:, None] + values[:, 5:].reshape(-1, 5, 2) * sides[:, None]
    boxes = np.concatenate([centre - sides / 2, centre + sides / 2], 1)
    scores = (1 / (1 + np.exp(-values[:, 0]))).astype(np.float32)
    return Detections(boxes, landmarks, scores)


def decode_yunet(outputs: Mapping[str, Array], width: int, threshold: float) -> Detections:
    """YuNet: for each stride cls, obj (1, A, 1), bbox (1, A, 4), kps (1, A, 10); score is sqrt(cls * obj)."""
    parts = []
    for stride in STRIDES:
        product = np.clip(outputs[f"cls_{stride}"], 0, 1) * np.clip(outputs[f"obj_{stride}"], 0, 1)
        index = np.flatnonzero(product.ravel() >= threshold**2)
        box = outputs[f"bbox_{stride}"].reshape(-1, 4)[index]
        points = outputs[f"kps_{stride}"].reshape(-1, 5, 2)[index]
        cells = _cells(index, width, stride)
        centre, half = cells + box[:, :2] * stride, np.exp(box[:, 2:]) * (stride / 2)
        boxes = np.concatenate([centre - half, centre + half], 1)
        parts.append(Detections(boxes, cells[:, None] + points * stride, np.sqrt(product.ravel()[index])))
    return Detections.joined(parts)


def decode_scrfd(outputs: Mapping[str, Array], width: int, threshold: float) -> Detections:
    """SCRFD: scores (A, 1) of all strides, distances (A, 4), landmarks (A, 10); two anchors a cell."""
    arrays = list(outputs.values())
    parts = []
    for level, stride in enumerate(STRIDES):
        scores = arrays[level].ravel()
        index = np.flatnonzero(scores >= threshold)
        distances = arrays[level + 3].reshape(-1, 4)[index] * stride
        points = arrays[level + 6].reshape(-1, 5, 2)[index] * stride
        cells = _cells(index // SCRFD_ANCHORS, width, stride)
        boxes = np.concatenate([cells - distances[:, :2], cells + distances[:, 2:]], 1)
        parts.append(Detections(boxes, cells[:, None] + points, scores[index]))
    return Detections.joined(parts)


def _logit(threshold: float) -> float:
    bounded = min(max(threshold, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))


def _cells(index: NDArray[np.int64], width: int, stride: int, *, offset: float = 0.0) -> Array:
    """Where cells stand in the input, shape (N, 2)."""
    rows, columns = np.divmod(index, width // stride)
    return ((np.array([columns, rows]).T + offset) * stride).astype(np.float32)


LAYOUTS = {
    "facespace": Layout("facespace", "RGB", 0.0, 1.0, 0.5, decode_own),
    "yunet": Layout("yunet", "BGR", 0.0, 1.0, 0.6, decode_yunet),
    "scrfd": Layout("scrfd", "RGB", 127.5, 128.0, 0.5, decode_scrfd),
}


def recognise(outputs: Mapping[str, Sequence[int | str | None]]) -> Layout | None:
    """The layout that a model's outputs, shapes by name, show; None where they show none."""
    if set(OWN_OUTPUTS) <= set(outputs):
        return LAYOUTS["facespace"]
    if {f"{part}_{stride}" for part in ("cls", "obj", "bbox", "kps") for stride in STRIDES} <= set(outputs):
        return LAYOUTS["yunet"]
    last = [shape[-1] for shape in outputs.values() if shape]
    return LAYOUTS["scrfd"] if last == [1] * 3 + [4] * 3 + [10] * 3 else None


def suppress(boxes: Array, scores: Array, iou: float) -> NDArray[np.int64]:
    """Greedy non-maximum suppression: indices of the kept boxes, highest score first.

    A box is dropped when its overlap with a kept one of higher score exceeds ``iou``.
    """
    order = np.argsort(-scores, kind="stable")
    boxes = boxes[order]
    areas = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(1)
    alive, kept = np.ones(len(order), np.bool_), []
    for i in range(len(order)):
        if not alive[i]:
            continue
        kept.append(i)
        low, high = np.maximum(boxes[i, :2], boxes[i + 1 :, :2]), np.minimum(boxes[i, 2:], boxes[i + 1 :, 2:])
        overlap = np.maximum(high - low, 0).prod(1)
        union = areas[i] + areas[i + 1 :] - overlap
        alive[i + 1 :] &= overlap <= iou * union
    return order[np.array(kept, np.int64)]
