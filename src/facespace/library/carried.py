"""Which faces of a photo were known before, when it is read again, so that they keep names and corrections.

The same content is read again by a new detector or embedder, or after it had gone: then the box tells. Other content
at the same path (turned, cropped, saved again) is another picture of the same moment at most: then the look tells, by
the templates of one model. Of a video whole tracks are compared: the face that is known was somewhere at its time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.distances import distance_matrix
from facespace.embed import dequantise
from facespace.extract import PhotoFaces, Track, VideoFaces
from facespace.faces.matching import box_iou
from facespace.library.catalogue import Catalogue
from facespace.store import path_in

MIN_IOU = 0.5
# Squared L2 of two embeddings of one picture of a face, saved twice.
SAME_PICTURE = 0.3
NEAR_S, MIN_IOU_NEAR = 1.0, 0.3  # of a track that other frames show than those looked at before


@dataclass(frozen=True)
class KnownFaces:
    """The faces of the photo that stood at a path, and of a photo of the same content that had gone.

    Attributes:
        photo_ids: of these photos.
        face_ids: of N faces.
        sha256: of the content of each face's photo; None where it was not known.
        boxes_xyxy: float32, shape (N, 4).
        templates: one byte vector by the given embedder each, else None.
        times_s: of faces in videos, else None.
    """

    photo_ids: list[int]
    face_ids: list[int]
    sha256: list[str | None]
    boxes_xyxy: NDArray[np.float32]
    templates: list[NDArray[np.int8] | None]
    times_s: list[float | None]


def known_faces(catalogue: Catalogue, path: str, sha256: str, embedder: str) -> KnownFaces:
    """What the catalogue knows of the faces that a photo may show again.

    Args:
        catalogue: open.
        path: where the photo stands now.
        sha256: of its content.
        embedder: sha256 of the model whose templates may be compared.
    """
    photos = catalogue.rows(
        "SELECT photo_id, sha256 FROM photos WHERE path = ?"
        " UNION ALL SELECT photo_id, sha256 FROM photos WHERE path IS NULL AND sha256 = ?",
        (path_in(path), sha256),
    )
    faces = [
        (photo["sha256"], face)
        for photo in photos
        for face in catalogue.rows(
            "SELECT face_id, x0, y0, x1, y1, time_s FROM faces WHERE photo_id = ? AND of_track IS NULL",
            (photo["photo_id"],),
        )
    ]
    ids = [face["face_id"] for _, face in faces]
    vectors = {
        number: vector
        for batch in catalogue.templates.of_faces(np.array(ids, np.int64), model=embedder)
        for number, vector in zip(batch.face_id.tolist(), batch.vectors, strict=True)
    }
    boxes = [[face[side] for side in ("x0", "y0", "x1", "y1")] for _, face in faces]
    return KnownFaces(
        [photo["photo_id"] for photo in photos],
        ids,
        [content for content, _ in faces],
        np.array(boxes, np.float32).reshape(-1, 4),
        [vectors.get(number) for number in ids],
        [face["time_s"] for _, face in faces],
    )


def carried_ids(known: KnownFaces, found: PhotoFaces | VideoFaces) -> dict[int, int]:
    """The old id of each face or track found that was known, by its place; the surest pairs first, each once."""
    likeness = _of_tracks(known, found) if isinstance(found, VideoFaces) else _likeness(known, found)
    kept: dict[int, int] = {}
    for i, j in zip(*np.unravel_index(np.argsort(-likeness, axis=None), likeness.shape), strict=True):
        if likeness[i, j] > 0 and int(i) not in kept and known.face_ids[j] not in kept.values():
            kept[int(i)] = known.face_ids[j]
    return kept


def _likeness(known: KnownFaces, found: PhotoFaces) -> NDArray[np.float32]:
    """In (0, 1] for pairs that may be one face, else 0; shape (found, known)."""
    likeness = np.zeros((len(found.faces), len(known.face_ids)), np.float32)
    overlap = box_iou(found.faces.boxes_xyxy, known.boxes_xyxy)
    for j, (content, template) in enumerate(zip(known.sha256, known.templates, strict=True)):
        if content == found.sha256:
            likeness[:, j] = np.where(overlap[:, j] >= MIN_IOU, overlap[:, j], 0.0)
        elif template is not None:
            row = dequantise(template[None])
            near = distance_matrix(found.embeddings, row)[:, 0]
            likeness[:, j] = np.maximum(0.0, 1.0 - near / SAME_PICTURE)
    return likeness


def _of_tracks(known: KnownFaces, found: VideoFaces) -> NDArray[np.float32]:
    """As `_likeness`."""
    likeness = np.zeros((len(found), len(known.face_ids)), np.float32)
    for i, track in enumerate(found):
        for j, (content, template, time_s) in enumerate(
            zip(known.sha256, known.templates, known.times_s, strict=True)
        ):
            if content == found.sha256 and time_s is not None:
                likeness[i, j] = _was_there(track, known.boxes_xyxy[j], time_s)
            elif template is not None:
                near = distance_matrix(track.embeddings, dequantise(template[None])).min()
                likeness[i, j] = max(0.0, 1.0 - near / SAME_PICTURE)
    return likeness


def _was_there(track: Track, box_xyxy: NDArray[np.float32], time_s: float) -> float:
    """How well a box fits the place of a track at that time."""
    at = int(np.abs(track.path_s - time_s).argmin())
    overlap = float(box_iou(track.path_xyxy[at : at + 1], box_xyxy[None])[0, 0])
    apart_s = abs(float(track.path_s[at]) - time_s)  # another track may begin where this one ends
    fits = apart_s <= NEAR_S and overlap >= MIN_IOU_NEAR
    return overlap * (1.0 - apart_s / (2 * NEAR_S)) if fits else 0.0
