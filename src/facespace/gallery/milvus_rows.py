"""A face of a gallery as a row in Milvus."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.gallery.roster import EnrolledFace
from facespace.store import name_key
from facespace.store.milvus import key_of
from facespace.table import FaceTable

Row = dict[str, Any]
OWNER = ("face_id", "subject_id")


def subject_id_of(name: str) -> int:
    """The same for names that look alike."""
    return key_of(name_key(name))


def row_of(faces: FaceTable, i: int, subject_id: int) -> Row:
    """Of the face of a table."""
    photo = int(faces.photo_idx[i])
    path, content = faces.photos[photo], faces.photo_sha256[photo]
    box, points = faces.box_xyxy[i], faces.landmarks_xy[i]
    details = {
        "photo": path, "sha256": content, "score": _number(faces.score[i]), "quality": _number(faces.quality[i]),
        "box": None if np.isnan(box[0]) else box.tolist(),
        "landmarks": None if np.isnan(points).any() else points.tolist(),
    }  # fmt: skip
    # Characters of paths that are no text stand as escapes.
    return {
        "face_id": int(faces.face_id[i]), "subject_id": subject_id, "photo": key_of(path),
        "content": key_of(content), "details": json.dumps(details),
    }  # fmt: skip


def _number(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)


def enrolled_face(row: Row, subject: str) -> EnrolledFace:
    """The face that `row_of` made a row of."""
    of = json.loads(row["details"])
    points = of["landmarks"]
    return EnrolledFace(
        row["face_id"], subject, of["photo"], of["sha256"], None if of["box"] is None else tuple(of["box"]),
        None if points is None else tuple((x, y) for x, y in points), of["score"], of["quality"],
    )  # fmt: skip


def whose(rows: Iterable[Row]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ids of faces, increasing, and of the subject of each."""
    pairs = sorted((row["face_id"], row["subject_id"]) for row in rows)
    faces, subjects = np.array(pairs, np.int64).reshape(-1, 2).T
    return faces, subjects
