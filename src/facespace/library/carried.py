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
class KnownFace:
    """A face of the photo that stood at a path, or of a photo of the same content that had gone.

    Attributes:
        face_id: of the face.
        sha256: of the content of its photo; None where it was not known.
        box_xyxy: float32, shape (4,).
        template: a byte vector by the embedder whose templates may be compared, if it has one.
        time_s: of a face in a video, else None.
    """

    face_id: int
    sha256: str | None
    box_xyxy: NDArray[np.float32]
    template: NDArray[np.int8] | None
    time_s: float | None

    def looks_like(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """In (0, 1] for those of (N, D) unit rows that may be of one picture with it, else 0; shape (N,)."""
        if self.template is None:
            return np.zeros(len(embeddings), np.float32)
        near = distance_matrix(embeddings, dequantise(self.template[None]))[:, 0]
        return np.maximum(0.0, 1.0 - near / SAME_PICTURE)


def known_photos(catalogue: Catalogue, path: str, sha256: str) -> list[int]:
    """The photo that stands at a path, and photos of that content that have gone."""
    return catalogue.values(
        "SELECT photo_id FROM photos WHERE path = ?"
        " UNION ALL SELECT photo_id FROM photos WHERE path IS NULL AND sha256 = ?",
        (path_in(path), sha256),
    )


def known_faces(catalogue: Catalogue, photo_ids: list[int], embedder: str) -> list[KnownFace]:
    """The faces of these photos, with templates by the model of that sha256."""
    rows = [
        row
        for photo in photo_ids
        for row in catalogue.stream(
            "SELECT face_id, sha256, x0, y0, x1, y1, time_s FROM faces JOIN photos USING (photo_id)"
            " WHERE photo_id = ? AND of_track IS NULL",
            (photo,),
        )
    ]
    ids = np.array([row["face_id"] for row in rows], np.int64)
    vectors = {
        number: vector
        for batch in catalogue.templates.of_faces(ids, model=embedder)
        for number, vector in zip(batch.face_id.tolist(), batch.vectors, strict=True)
    }
    return [
        KnownFace(
            row["face_id"], row["sha256"], np.array(row[2:6], np.float32), vectors.get(row["face_id"]), row["time_s"]
        )
        for row in rows
    ]  # fmt: skip


def carried_ids(known: list[KnownFace], found: PhotoFaces | VideoFaces) -> dict[int, int]:
    """The old id of each face or track found that was known, by its place; the surest pairs first, each once."""
    likeness = np.array([_likeness(face, found) for face in known], np.float32).T
    kept: dict[int, int] = {}
    for i, j in zip(*np.unravel_index(np.argsort(-likeness, axis=None), likeness.shape), strict=True):
        if likeness[i, j] > 0 and int(i) not in kept and known[j].face_id not in kept.values():
            kept[int(i)] = known[j].face_id
    return kept


def _likeness(face: KnownFace, found: PhotoFaces | VideoFaces) -> NDArray[np.float32] | list[float]:
    """In (0, 1] for faces or tracks found that may be this one, else 0; N of them."""
    if isinstance(found, VideoFaces):
        if face.sha256 == found.sha256 and face.time_s is not None:
            return [_was_there(track, face.box_xyxy, face.time_s) for track in found]
        return [float(face.looks_like(track.embeddings).max()) for track in found]
    if face.sha256 != found.sha256:
        return face.looks_like(found.embeddings)
    overlap = box_iou(found.faces.boxes_xyxy, face.box_xyxy[None])[:, 0]
    return np.where(overlap >= MIN_IOU, overlap, 0.0)


def _was_there(track: Track, box_xyxy: NDArray[np.float32], time_s: float) -> float:
    """How well a box fits the place of a track at that time."""
    at = int(np.abs(track.path_s - time_s).argmin())
    overlap = float(box_iou(track.path_xyxy[at : at + 1], box_xyxy[None])[0, 0])
    apart_s = abs(float(track.path_s[at]) - time_s)  # another track may begin where this one ends
    fits = apart_s <= NEAR_S and overlap >= MIN_IOU_NEAR
    return overlap * (1.0 - apart_s / (2 * NEAR_S)) if fits else 0.0
