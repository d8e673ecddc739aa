"""The faces of photos and the tracks of videos as rows of a FaceTable."""

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.extract.photos import FaceEmbedder, PhotoFaces
from facespace.extract.tracks import Track
from facespace.extract.videos import VideoFaces
from facespace.table import FaceTable, face_id

__all__ = ["table_of"]


def table_of(found: list[PhotoFaces | VideoFaces], embedder: FaceEmbedder) -> FaceTable:
    """Of tracks all kept faces, the best of each first."""
    parts: list[tuple[int, PhotoFaces | Track, int]] = []  # each with its file, and which track it is
    for i, item in enumerate(found):
        parts += [(i, item, -1)] if isinstance(item, PhotoFaces) else [(i, t, k) for k, t in enumerate(item)]
    counts = [len(part.faces) for _, part, _ in parts]
    rank = Counter[str]()
    ids = []
    for i, part, _ in parts:
        digest = found[i].sha256
        ids += [face_id(digest, rank[digest] + k) for k in range(len(part.faces))]
        rank[digest] += len(part.faces)
    none = FaceTable.empty(dim=embedder.spec.dim, model=embedder.spec.sha256)
    return FaceTable(
        embedder.spec.sha256,
        tuple(str(item.photo) for item in found),
        tuple(item.sha256 for item in found),
        np.array(ids, np.int64),
        np.repeat(np.array([i for i, _, _ in parts], np.int32), counts),
        np.concatenate([none.box_xyxy, *(part.faces.boxes_xyxy for _, part, _ in parts)]),
        np.concatenate([none.landmarks_xy, *(part.faces.landmarks_xy for _, part, _ in parts)]),
        np.concatenate([none.score, *(part.faces.scores for _, part, _ in parts)]),
        np.concatenate([none.quality, *(part.quality for _, part, _ in parts)]),
        np.concatenate([none.embedding, *(part.embeddings for _, part, _ in parts)]),
        frame=np.concatenate([none.frame, *(_of_video(part, "frame", -1) for _, part, _ in parts)]),
        time_s=np.concatenate([none.time_s, *(_of_video(part, "time_s", np.nan) for _, part, _ in parts)]),
        track=np.repeat(np.array([k for _, _, k in parts], np.int32), counts),
    )


def _of_video(part: PhotoFaces | Track, name: str, none: float) -> NDArray[Any]:
    return getattr(part, name) if isinstance(part, Track) else np.full(len(part.faces), none)
