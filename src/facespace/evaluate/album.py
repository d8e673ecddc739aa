"""The main job, scored: photos of known people are grouped, and the groups compared with the truth."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.cluster import Constraints, agglomerative
from facespace.errors import DataError
from facespace.extract import FaceDetector, FaceEmbedder, PhotoFaces, extract_photos
from facespace.metrics import ClusterScores, bcubed_scores, pairwise_scores
from facespace.verification import choose_face

__all__ = ["AlbumFaces", "AlbumResult", "evaluate_album", "extract_album"]


@dataclass(frozen=True)
class AlbumFaces:
    """All faces of an album, and which of them are the labelled ones.

    Attributes:
        embeddings: unit rows of all faces, shape (N, D).
        photo_idx: shape (N,), the photo of each face.
        labelled: shape (P,), the face of each labelled photo, or -1 where none was detected.
        truth: shape (P,), the person of each labelled photo.
    """

    embeddings: NDArray[np.float32]
    photo_idx: NDArray[np.int64]
    labelled: NDArray[np.int64]
    truth: NDArray[np.int64]


@dataclass(frozen=True)
class AlbumResult:
    """Scores over the labelled photos; a photo without a detected face counts as a person of its own.

    Attributes:
        pairwise: precision, recall and F1 over pairs.
        bcubed: likewise over faces (BCubed).
        threshold: the distance used.
        n_photos: labelled photos.
        n_faces: all faces found and grouped.
        n_misses: labelled photos without a detected face.
        n_people: groups found among all faces.
        best_f1: pairwise F1 at the threshold that suits this album best; no figure to quote, since it is
            chosen on the album itself.
        best_threshold: that threshold.
    """

    pairwise: ClusterScores
    bcubed: ClusterScores
    threshold: float
    n_photos: int
    n_faces: int
    n_misses: int
    n_people: int
    best_f1: float
    best_threshold: float


def extract_album(
    photos: Path,
    labels: dict[str, str],
    detector: FaceDetector,
    embedder: FaceEmbedder,
    *,
    workers: int | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> AlbumFaces:
    """Find all faces of the labelled photos; the labelled person is the largest face.

    Raises:
        DataError: a labelled photo is missing or cannot be read.
    """
    paths = [photos / name for name in labels]
    rows, photo_idx, labelled, n_faces = [np.zeros((0, embedder.spec.dim), np.float32)], [], [], 0
    for i, found in enumerate(extract_photos(paths, detector, embedder, workers=workers)):
        if not isinstance(found, PhotoFaces):
            raise DataError(f"{found.photo}: {found.reason}")
        n = len(found.embeddings)
        labelled.append(n_faces + choose_face(found.faces.boxes_xyxy) if n else -1)
        rows.append(found.embeddings)
        photo_idx += [i] * n
        n_faces += n
        if on_photo:
            on_photo(i + 1, len(paths))
    _, truth = np.unique(list(labels.values()), return_inverse=True)
    return AlbumFaces(
        np.concatenate(rows), np.array(photo_idx, np.int64), np.array(labelled, np.int64), truth
    )


def evaluate_album(faces: AlbumFaces, *, threshold: float) -> AlbumResult:
    """Group all faces at ``threshold``, two of one photo apart, and score the labelled ones."""
    labels, n_people = _labels(faces, threshold)
    f1s = {t: pairwise_scores(faces.truth, _labels(faces, t)[0]).f1 for t in np.arange(0.1, 2.0, 0.05)}
    best = max(f1s, key=lambda t: f1s[t])
    return AlbumResult(
        pairwise_scores(faces.truth, labels),
        bcubed_scores(faces.truth, labels),
        float(threshold),
        len(faces.truth),
        len(faces.embeddings),
        int((faces.labelled < 0).sum()),
        n_people,
        f1s[best],
        round(float(best), 3),
    )


def _labels(faces: AlbumFaces, threshold: float) -> tuple[NDArray[np.int64], int]:
    """The group of each labelled photo's face, a fresh one for each miss; and the number of groups."""
    grouped = agglomerative(
        faces.embeddings, threshold=float(threshold), constraints=Constraints(photo=faces.photo_idx)
    )
    misses = faces.labelled < 0
    labels = np.zeros(len(faces.labelled), np.int64)
    labels[~misses] = grouped.labels[faces.labelled[~misses]]
    labels[misses] = grouped.n_people + np.arange(misses.sum())
    return labels, grouped.n_people
