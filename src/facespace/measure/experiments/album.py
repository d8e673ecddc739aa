"""The main job, scored: photos of known people are grouped, and the groups compared with the truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from facespace.cluster import Clustering, Constraints, agglomerative, collection_threshold
from facespace.cluster.threshold import IMPOSTORS_IN_REACH
from facespace.errors import DataError
from facespace.extract import PhotoFaces, extract_photos
from facespace.gallery import read_labels
from facespace.measure.context import Context
from facespace.measure.experiment import Option, experiment
from facespace.measure.result import MEASURED, Column, Result, Table, plain
from facespace.metrics import ClusterScores, bcubed_scores, pairwise_scores
from facespace.verification import choose_face


@dataclass(frozen=True, eq=False)
class Album:
    """All faces of labelled photos, and which of them are the labelled ones."""

    embeddings: NDArray[np.float32]  # unit rows of all faces, shape (N, D)
    photo_idx: NDArray[np.int64]  # shape (N,), the photo of each face
    boxes_xyxy: NDArray[np.float32]  # shape (N, 4), pixels of the photos
    # shape (P,), the face of each photo that its label means, the largest, or -1 where none was detected
    labelled: NDArray[np.int64]
    truth: NDArray[np.int64]  # shape (P,), the person of each photo, an index into ``people``
    photos: tuple[str, ...]  # shape (P,), names of the photos below the folder
    people: tuple[str, ...]  # names, sorted

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
    """Scores over the labelled photos; a photo without a detected face counts as a person of its own."""

    pairwise: ClusterScores  # precision, recall and F1 over pairs
    bcubed: ClusterScores  # likewise over faces (BCubed)
    threshold: float  # the distance used
    n_photos: int  # labelled photos
    n_faces: int  # all faces found and grouped
    n_misses: int  # labelled photos without a detected face
    n_people: int  # groups found among all faces
    # pairwise F1 at the threshold that suits this album best; no figure to quote, since it is chosen on the
    # album itself
    best_f1: float
    best_threshold: float  # that threshold


def extract_album(context: Context, photos: Path, labels: dict[str, str]) -> Album:
    """Find all faces of the labelled photos; the labelled person is the largest face.

    Args:
        context: finds and embeds the faces.
        photos: folder.
        labels: person of each photo below it.

    Raises:
        DataError: a labelled photo is missing or cannot be read, or there are fewer than two.
    """
    detector, embedder = context.detector, context.embedder
    rows, boxes = [np.zeros((0, embedder.spec.dim), np.float32)], [np.zeros((0, 4), np.float32)]
    photo_idx, labelled = list[int](), list[int]()
    paths = [photos / name for name in labels]
    found_all = extract_photos(paths, detector, embedder, workers=context.setup.workers)
    for i, found in enumerate(found_all):
        if not isinstance(found, PhotoFaces):
            raise DataError(f"{found.photo}: {found.reason}")
        n = len(found.embeddings)
        labelled.append(len(photo_idx) + choose_face(found.faces.boxes_xyxy) if n else -1)
        rows.append(found.embeddings)
        boxes.append(found.faces.boxes_xyxy)
        photo_idx += [i] * n
        context.on_step(i + 1, len(labels))
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


def scores_table(caption: str, **scores: ClusterScores) -> Table:
    """Precision, recall and F1 of each kind of scores."""
    columns = (Column("score"), *(Column(name, "percent") for name in ("precision", "recall", "F1")))
    return Table(caption, columns, tuple((name, s.precision, s.recall, s.f1) for name, s in scores.items()))


# Below the data folder.
ALBUM = "albums/people"


@experiment(
    "One cluster of a user's photo collection is shown (Figure 7); no figure is given.",
    needs=("data", "model", "detector", "workers"),
)
def run(
    context: Context,
    *,
    photos: Annotated[
        Path | None, Option("Folder of photos; DATA/albums/people unless given.", argument=True)
    ] = None,
    labels: Annotated[
        Path | None, Option("CSV file with columns photo,person; labels.csv in that folder unless given.")
    ] = None,
    impostors: Annotated[
        float, Option("How many faces of other people may be within the threshold of a face, on average.")
    ] = IMPOSTORS_IN_REACH,
    far: Annotated[
        float | None, Option("False-accept rate of a single pair, instead of --impostors.")
    ] = None,
) -> Result:
    """Group photos of known people and score the groups; the labelled person is the largest face."""
    folder = photos or context.data / ALBUM
    broken: list[str] = []
    people = read_labels(labels or folder / "labels.csv", on_broken=broken.append)
    album = extract_album(context, folder, people)
    chosen = collection_threshold(
        context.embedder.spec.distances, len(album.embeddings), impostors=impostors, far=far
    )
    figures = evaluate_album(album, threshold=chosen.distance)
    return Result(
        MEASURED,
        f"Pairwise F1 {figures.pairwise.f1:.4f}, precision {figures.pairwise.precision:.4f}: {figures.n_faces} faces "
        f"of {figures.n_photos} labelled photos ({figures.n_misses} without a face) fall into {figures.n_people} "
        f"groups at distance {figures.threshold:.3f}.",
        (scores_table("Groups against labels.", pairwise=figures.pairwise, BCubed=figures.bcubed),),
        (
            "A photo without a detected face counts as a person of its own.",
            f"Best F1 at any threshold, chosen on this album itself: {figures.best_f1:.4f} at "
            f"{figures.best_threshold:g}.",
            *broken,
        ),
        figures=plain(figures),
    )
