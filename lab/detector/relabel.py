"""Where the faces of the training pictures really are: boxes and landmarks by the peers, kept in one file.

An aligned thumbnail has its landmarks near the template, not on it: a turned head's are up to a quarter of the eye
distance away, and a network that is taught the template for each of them learns to find no pose.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.faces.align import TEMPLATE_XY
from facespace.faces.detect import Detector
from facespace.faces.detections import Detections
from facespace.faces.matching import box_iou
from facespace.faces.split import is_held_out, read_labels
from facespace.saved_files import write_beside
from lab.detector.doubtful import PEERS

LEAST_SCORE = 0.5
MARGIN_PX = 40  # faces fill their thumbnails: detectors want some room around them
FARTHEST_PX = 8.0  # mean distance of landmarks from the template; beyond, something else was found
SAME_FACE_IOU = 0.5

FaceLabels = dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]


def write_relabels(
    data: Path, out: Path, *, every: int = 1, on_picture: Callable[[int, int], None] | None = None
) -> int:
    """Ask the peers about training thumbnails and labelled photos under ``data``; returns how many faces.

    One thumbnail in ``every`` is asked about, and each photo.

    A thumbnail gets the first peer's box and the mean of both peers' landmarks; one in which a peer sees no face near
    the template is left out. A photo's face keeps its box; its landmarks are the mean of the label's and of the
    second peer's, where that finds it. Held-out photos are not looked at.

    Raises:
        DataError: no labels there.
        ModelError: no peers there.
    """
    peers = [Detector(data / "peers" / name, score_threshold=LEAST_SCORE) for name in PEERS]
    thumbnails = sorted((data / "faces" / "train").glob("*/*.jpg"))[::every]
    photos = [p for p in read_labels(data / "photos") if not is_held_out(p.path)]
    rows: dict[str, list[list[float]]] = {}
    for i, path in enumerate(thumbnails):
        if (face := _thumbnail_face(np.asarray(Image.open(path).convert("RGB")), peers)) is not None:
            rows[path.relative_to(data).as_posix()] = [face]
        if on_picture:
            on_picture(i + 1, len(thumbnails) + len(photos))
    for i, photo in enumerate(photos):
        found = peers[1].detect(np.asarray(Image.open(photo.path).convert("RGB")))
        landmarks = _mean_landmarks(photo.boxes_xyxy, photo.landmarks_xy, found)
        rows[photo.path.relative_to(data).as_posix()] = _rows(photo.boxes_xyxy, landmarks)
        if on_picture:
            on_picture(len(thumbnails) + i + 1, len(thumbnails) + len(photos))
    write_beside(out, json.dumps(rows).encode())
    return sum(len(faces) for faces in rows.values())


def read_relabels(path: Path) -> FaceLabels:
    """What `write_relabels` wrote: boxes (N, 4) and landmarks (N, 5, 2) by path below the data folder."""
    rows = {name: np.array(faces, np.float32) for name, faces in json.loads(path.read_text("utf-8")).items()}
    return {
        name: (r.reshape(-1, 14)[:, :4], r.reshape(-1, 14)[:, 4:].reshape(-1, 5, 2))
        for name, r in rows.items()
    }


def _thumbnail_face(crop: NDArray[np.uint8], peers: list[Detector]) -> list[float] | None:
    padded = np.pad(crop, ((MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX), (0, 0)), mode="edge")
    faces = []
    for peer in peers:
        found = peer.detect(padded)
        off_px = np.sqrt(((found.landmarks_xy - MARGIN_PX - TEMPLATE_XY) ** 2).sum(-1)).mean(-1)
        if off_px.min(initial=np.inf) > FARTHEST_PX:
            return None
        faces.append(found[off_px.argmin()[None]])
    landmarks = (faces[0].landmarks_xy + faces[1].landmarks_xy) / 2 - MARGIN_PX
    return _rows(faces[0].boxes_xyxy - MARGIN_PX, landmarks)[0]


def _mean_landmarks(
    boxes: NDArray[np.float32], landmarks: NDArray[np.float32], found: Detections
) -> NDArray[np.float32]:
    if not len(found) or not len(boxes):
        return landmarks
    overlap = box_iou(boxes, found.boxes_xyxy)
    seen = (overlap.max(1) >= SAME_FACE_IOU)[:, None, None]
    return np.where(seen, (landmarks + found.landmarks_xy[overlap.argmax(1)]) / 2, landmarks)


def _rows(boxes: NDArray[np.floating[Any]], landmarks: NDArray[np.floating[Any]]) -> list[list[float]]:
    flat = np.concatenate([boxes, landmarks.reshape(-1, 10)], 1)
    rows: list[list[float]] = np.round(flat.astype(float), 1).tolist()
    return rows
