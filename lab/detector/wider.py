"""WIDER FACE as training pictures: its boxes, and landmarks where two published detectors agree on them.

`tools/more_data.py wider` lays out whole events of WIDER FACE's train part (Yang et al., 2016): boxes with blur,
occlusion, pose and illumination, and no landmarks.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.faces.detect import Detector
from facespace.faces.detections import Detections
from facespace.faces.matching import box_iou
from facespace.measure.experiments.wider import WiderPhoto, read_wider
from facespace.saved_files import write_beside
from lab.detector.canvas import FaceSource
from lab.detector.doubtful import PEERS
from lab.detector.pool import Pool, open_rgb

INPUT_PX = 1280  # nearly all of WIDER's photos are 1024 px wide
LEAST_SCORE = 0.4
SURE_SCORE = 0.6  # an unlabelled face that both peers see this surely is left out of the loss
SAME_FACE_IOU = 0.4
FARTHEST = 0.12  # of a box side, mean over five points: beyond, the peers disagree

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class PeerLabels:
    """What two peers say of a photo: landmarks (N, 5, 2), NaN where they do not agree; unlabelled faces (M, 4)."""

    landmarks_xy: Floats
    unlabelled_xyxy: Floats


def write_peer_labels(
    folder: Path, peers: Path, out: Path, *, on_photo: Callable[[int, int], None] | None = None
) -> int:
    """Ask both ``peers`` about all photos of ``folder`` that may be trained on; returns the faces with landmarks.

    Raises:
        DataError: no labels there.
        ModelError: no peers there.
    """
    detectors = [Detector(peers / name, score_threshold=LEAST_SCORE, input_px=INPUT_PX) for name in PEERS]
    photos = [photo for photo in read_wider(folder) if not photo.is_held_out]
    rows, n_faces = {}, 0
    for i, photo in enumerate(photos):
        pixels = np.asarray(Image.open(photo.path).convert("RGB"))
        labels = agreed(photo.boxes_xyxy, *(detector.detect(pixels) for detector in detectors))
        rows[photo.name] = {
            "landmarks": [None if np.isnan(p).any() else _rounded(p) for p in labels.landmarks_xy],
            "unlabelled": _rounded(labels.unlabelled_xyxy),
        }
        n_faces += int((~np.isnan(labels.landmarks_xy[:, 0, 0])).sum())
        if on_photo:
            on_photo(i + 1, len(photos))
    write_beside(out, json.dumps(rows).encode())
    return n_faces


def _rounded(values: Floats) -> list[list[float]]:
    rows: list[list[float]] = np.round(values.astype(float), 1).tolist()
    return rows


def agreed(boxes: Floats, first: Detections, second: Detections) -> PeerLabels:
    """The mean landmarks of the faces ``boxes`` (N, 4) on which both detectors agree, and what they find beyond."""
    seen, landmarks = zip(*(_matched(boxes, found) for found in (first, second)), strict=True)
    side = np.sqrt(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
    apart = np.linalg.norm(landmarks[0] - landmarks[1], axis=-1).mean(-1)
    sure = seen[0] & seen[1] & (apart <= FARTHEST * np.maximum(side, 1))
    mean = np.where(sure[:, None, None], (landmarks[0] + landmarks[1]) / 2, np.float32(np.nan))
    found = first[first.scores >= SURE_SCORE]
    confirmed = box_iou(found.boxes_xyxy, second[second.scores >= SURE_SCORE].boxes_xyxy).max(1, initial=0.0)
    new = box_iou(found.boxes_xyxy, boxes).max(1, initial=0.0) < 0.2
    return PeerLabels(mean.astype(np.float32), found.boxes_xyxy[(confirmed >= SAME_FACE_IOU) & new])


def _matched(boxes: Floats, found: Detections) -> tuple[NDArray[np.bool_], Floats]:
    """Which boxes a detector found, and the landmarks it gave them."""
    if not len(found) or not len(boxes):
        return np.zeros(len(boxes), np.bool_), np.zeros((len(boxes), 5, 2), np.float32)
    overlap = box_iou(boxes, found.boxes_xyxy)
    return overlap.max(1) >= SAME_FACE_IOU, found.landmarks_xy[overlap.argmax(1)]


def read_peer_labels(path: Path) -> dict[str, PeerLabels]:
    """What `write_peer_labels` wrote, by the photo's name."""
    return dict(_peer_labels(json.loads(path.read_text("utf-8"))))


def _peer_labels(rows: dict[str, dict[str, list[list[float]]]]) -> Iterator[tuple[str, PeerLabels]]:
    nothing = np.full((5, 2), np.nan, np.float32)
    for name, row in rows.items():
        landmarks = [nothing if p is None else np.array(p, np.float32) for p in row["landmarks"]]
        yield (
            name,
            PeerLabels(
                np.array(landmarks, np.float32).reshape(-1, 5, 2),
                np.array(row["unlabelled"], np.float32).reshape(-1, 4),
            ),
        )


def wider_pool(folder: Path, labels: Path) -> Pool:
    """The photos of ``folder`` that may be trained on, with what `write_peer_labels` wrote to ``labels``.

    Events are drawn by the square root of their size: two of them hold four fifths of the photos' faces.

    Raises:
        DataError: no labels there.
    """
    known = read_peer_labels(labels)
    photos = [photo for photo in read_wider(folder) if not photo.is_held_out and photo.name in known]
    events = Counter(_event(photo) for photo in photos)
    shares = np.array([events[_event(photo)] ** -0.5 for photo in photos])
    return Pool([partial(_read, photo, known[photo.name]) for photo in photos], shares / shares.sum())


def _event(photo: WiderPhoto) -> str:
    return photo.name.split("/")[0]


def _read(photo: WiderPhoto, labels: PeerLabels) -> FaceSource:
    n = len(labels.unlabelled_xyxy)
    return FaceSource(
        open_rgb(photo.path),
        np.concatenate([photo.boxes_xyxy, labels.unlabelled_xyxy]),
        np.concatenate([labels.landmarks_xy, np.full((n, 5, 2), np.nan, np.float32)]),
        np.concatenate([np.where(photo.invalid, -1, 1), np.full(n, -1)]).astype(np.int64),
    )
