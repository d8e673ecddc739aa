"""Verification, 1:1: do two pictures show the same person? Arrays in, a verdict out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.distances import check_embeddings, distance_matrix, similarity
from facespace.errors import InputError, NoFaceError


@dataclass(frozen=True)
class Verification:
    """The verdict on two faces.

    Attributes:
        same: whether distance <= threshold.
        distance: squared L2 of the two embeddings, in [0, 4].
        similarity: their cosine, 1 - distance / 2.
        threshold: the distance up to which two faces count as one person.
        far: the false accept rate that the threshold stands for.
        face_idx: which face of each side was compared.
    """

    same: bool
    distance: float
    similarity: float
    threshold: float
    far: float
    face_idx: tuple[int, int]


def choose_face(boxes_xyxy: NDArray[np.float32]) -> int:
    """The index of the face to use where none is named: the largest.

    Args:
        boxes_xyxy: shape (N, 4).

    Raises:
        NoFaceError: there is no face at all.
    """
    if len(boxes_xyxy) == 0:
        raise NoFaceError("expected a face, found none; try a larger or sharper picture")
    sides = boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]
    return int((sides[:, 0] * sides[:, 1]).argmax())


def verify_faces(
    a: NDArray[np.float32] | Sequence[NDArray[np.float32]],
    b: NDArray[np.float32] | Sequence[NDArray[np.float32]],
    *,
    threshold: float,
    far: float,
    face_idx: tuple[int, int] | None = None,
) -> Verification:
    """Compare one face of each side, or one track: by the mean distance of all pairs of its faces (paper, section 5.7).

    Args:
        a: embeddings of the first picture's faces, unit rows, shape (N, D); or those of the faces of each track, each
            of shape (K, D), K at least 1.
        b: likewise of the second, shape (M, D).
        threshold: from the models' spec.
        far: the false accept rate that it stands for.
        face_idx: which two to compare; None takes the closest pair of all.

    Raises:
        NoFaceError: a side has no face.
        InputError: rows that are not of unit length, or numbers out of range.
    """
    if not len(a) or not len(b):
        raise NoFaceError("expected a face on both sides, one side has none")
    (rows_a, first_a, n_a), (rows_b, first_b, n_b) = _rows(a, "a"), _rows(b, "b")
    sums = np.add.reduceat(np.add.reduceat(distance_matrix(rows_a, rows_b), first_a), first_b, axis=1)
    distances = sums / (n_a[:, None] * n_b)
    if face_idx is None:
        i, j = np.unravel_index(int(distances.argmin()), distances.shape)
        face_idx = (int(i), int(j))
    if not (0 <= face_idx[0] < distances.shape[0] and 0 <= face_idx[1] < distances.shape[1]):
        raise InputError(f"face_idx: expected below {distances.shape}, got {face_idx}")
    value = float(distances[face_idx])
    return Verification(
        value <= threshold, value, float(similarity(value)), float(threshold), float(far), face_idx
    )


def _rows(
    side: NDArray[np.float32] | Sequence[NDArray[np.float32]], name: str
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """All rows of a side, and the first row and the number of rows of each face or track."""
    if isinstance(side, np.ndarray):
        rows, counts = check_embeddings(side, name), np.ones(len(side), np.int64)
    else:
        rows, counts = check_embeddings(np.concatenate(side), name), np.array([len(track) for track in side])
    return rows, np.cumsum(counts) - counts, counts.astype(np.float32)
