"""Photos of known people, all faces found: what the main job is scored on (experiment `album`, Figure 7)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.cluster import Clustering, Constraints, agglomerative
from facespace.errors import DataError
from facespace.extract import FaceDetector, FaceEmbedder, PhotoFaces, extract_photos
from facespace.measure.embedding import OnStep
from facespace.metrics import ClusterScores, bcubed_scores, pairwise_scores
from facespace.verification import choose_face

__all__ = ["Album", "AlbumFigures", "evaluate_album", "extract_album", "group_album"]


@dataclass(frozen=True, eq=False)
class Album:
    """All faces of labelled photos, and which of them are the labelled ones.

    Attributes:
        embeddings: unit rows of all faces, shape (N, D).
        photo_idx: shape (N,), the photo of each face.
        boxes_xyxy: shape (N, 4), pixels of the photos.
        labelled: shape (P,), the face of each photo that its label means, the largest, or -1 where none was detected.
        truth: shape (P,), the person of each photo, an index into ``people``.
        photos: shape (P,), names of the photos below the folder.
        people: names, sorted.
    """

    embeddings: NDArray[np.float32]
    photo_idx: NDArray[np.int64]
    boxes_xyxy: NDArray[np.float32]
    labelled: NDArray[np.int64]
    truth: NDArray[np.int64]
    photos: tuple[str, ...]
    people: tuple[str, ...]

    @property
    def misses(self) -> NDArray[np.bool_]:
        """Photos without a detected face, shape (P,)."""
        return self.labelled < 0

    def labels_of(self, grouped: NDArray[np.integer]) -> NDArray[np.int64]:
        """The group of each photo's labelled face, shape (P,), of groups of all faces (N,); a new one for each miss."""
        labels = np.zeros(len(self.labelled), np.int64)
        labels[~self.misses] = grouped[self.labelled[~self.misses]]
        n_groups = int(grouped.max(initial=-1)) + 1
        labels[self.misses] = n_groups + np.arange(self.misses.sum())
        return labels


@dataclass(frozen=True)
class AlbumFigures:
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
    on_step: OnStep | None = None,
) -> Album:
    """Find all faces of the labelled photos; the labelled person is the largest face.

    Args:
        photos: folder.
        labels: person of each photo below it.
        detector: finds the faces.
        embedder: embeds them.
        workers: threads; all cores when absent.
        on_step: called with (photos done, photos in all).

    Raises:
        DataError: a labelled photo is missing or cannot be read, or there are fewer than two.
    """
    rows, boxes = [np.zeros((0, embedder.spec.dim), np.float32)], [np.zeros((0, 4), np.float32)]
    photo_idx, labelled = list[int](), list[int]()
    found_all = extract_photos([photos / name for name in labels], detector, embedder, workers=workers)
    for i, found in enumerate(found_all):
        if not isinstance(found, PhotoFaces):
            raise DataError(f"{found.photo}: {found.reason}")
        n = len(found.embeddings)
        labelled.append(len(photo_idx) + choose_face(found.faces.boxes_xyxy) if n else -1)
        rows.append(found.embeddings)
        boxes.append(found.faces.boxes_xyxy)
        photo_idx += [i] * n
        if on_step:
            on_step(i + 1, len(labels))
    if len(labels) < 2:  # no pair: a figure of nothing would be perfect
        raise DataError(f"{photos}: expected at least two labelled photos to compare, met {len(labels)}")
    people, truth = np.unique(list(labels.values()), return_inverse=True)
    return Album(
        np.concatenate(rows), np.array(photo_idx, np.int64), np.concatenate(boxes), np.array(labelled, np.int64),
        truth.astype(np.int64), tuple(labels), tuple(people.tolist()),
    )  # fmt: skip


def group_album(album: Album, threshold: float) -> Clustering:
    """All faces grouped at a distance, two of one photo never together."""
    constraints = Constraints(photo=album.photo_idx)
    return agglomerative(album.embeddings, threshold=float(threshold), constraints=constraints)


def evaluate_album(album: Album, *, threshold: float) -> AlbumFigures:
    """Group all faces at ``threshold``, two of one photo apart, and score the labelled ones."""
    grouped = group_album(album, threshold)
    labels = album.labels_of(grouped.labels)
    f1s = {
        t: pairwise_scores(album.truth, album.labels_of(group_album(album, t).labels)).f1
        for t in np.arange(0.1, 2.0, 0.05)
    }
    best = max(f1s, key=lambda t: f1s[t])
    return AlbumFigures(
        pairwise=pairwise_scores(album.truth, labels),
        bcubed=bcubed_scores(album.truth, labels),
        threshold=float(threshold),
        n_photos=len(album.truth),
        n_faces=len(album.embeddings),
        n_misses=int(album.misses.sum()),
        n_people=grouped.n_people,
        best_f1=f1s[best],
        best_threshold=round(float(best), 3),
    )
