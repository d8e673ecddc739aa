"""Figure 7: one cluster of a photo collection."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.cluster import Constraints, agglomerative, collection_threshold
from facespace.errors import DataError
from facespace.extract import PhotoFaces, extract_photos
from facespace.gallery import read_labels
from facespace.metrics import bcubed_scores, pairwise_scores
from facespace.reproduce.blocks import MEASURED, Column, Picture, PictureRow, Pictures, Result, Table
from facespace.reproduce.context import Context
from facespace.reproduce.part import OnPicture, Part, not_run
from facespace.reproduce.parts.differences import training_differs
from facespace.verification import choose_face

__all__ = ["FIGURE7"]

RULE = (
    "Rule: the largest group that was found, whatever it holds; ordered from the face nearest the group's "
    "mean to the farthest. A face "
    "that is not of the group's most frequent labelled person is marked, and so that nothing is hidden no "
    "other group was looked at."
)
SHOWN = 72


@dataclass(frozen=True)
class Album:
    """All faces of the labelled photos.

    Attributes:
        rows: unit rows (N, D).
        photo_idx: shape (N,).
        boxes: (x0, y0, x1, y1) of each.
        people: shape (N,), the labelled person of a photo's largest face, else -1.
        photos: the photos' paths below the data folder.
        names: of the people.
        n_misses: photos without a face.
    """

    rows: NDArray[np.float32]
    photo_idx: NDArray[np.int64]
    boxes: list[tuple[float, float, float, float]]
    people: NDArray[np.int64]
    photos: list[str]
    names: list[str]
    n_misses: int


def make(context: Context, on_picture: OnPicture) -> Result:
    """Group all faces, score the labelled ones, show the largest group."""
    folder = context.data / "albums" / "people"
    if not (folder / "labels.csv").is_file():
        return not_run(
            f"{folder} with its labels.csv is not among the data.",
            remedy="see DATA.md for the album's layout",
        )
    album = _extract(context, on_picture)
    chosen = collection_threshold(context.embedder.spec.distances, len(album.rows))
    grouped = agglomerative(
        album.rows, threshold=chosen.distance, constraints=Constraints(photo=album.photo_idx)
    )
    known = album.people >= 0
    pairwise = pairwise_scores(album.people[known], grouped.labels[known].astype(np.int64))
    bcubed = bcubed_scores(album.people[known], grouped.labels[known].astype(np.int64))
    shown, right, n = _largest(album, grouped.labels)
    columns = (
        Column("score"),
        Column("precision", "percent"),
        Column("recall", "percent"),
        Column("F1", "percent"),
    )
    table = Table(
        f"Groups against labels, {int(known.sum())} labelled faces of {len(album.names)} people.", columns,
        tuple((name, s.precision, s.recall, s.f1) for name, s in (("pairwise", pairwise), ("BCubed", bcubed))),
    )  # fmt: skip
    return Result(
        MEASURED,
        f"{len(album.rows):,} faces of {len(album.photos)} photos fall into {grouped.n_people} groups; the "
        f"largest holds {n}, of whose "
        f"labelled faces {right} are of one person. Pairwise F1 {100 * pairwise.f1:.1f} %.",
        (shown, table),
        (
            "The paper shows one cluster of a user's own photos and gives no number, linkage or threshold; "
            "here average linkage at the "
            f"distance that suits so many faces (FAR {chosen.far:.2g}, {chosen.distance:.3f}), two faces of one photo "
            "never together.",
            "albums/people is made of celebrities' pictures, not of one photographer's, and holds one "
            "labelled person a photo.",
            f"{album.n_misses} labelled photos without a detected face are left out of these scores.",
            training_differs(context),
        ),
    )  # fmt: skip


def _extract(context: Context, on_picture: OnPicture) -> Album:
    folder = context.data / "albums" / "people"
    labels = read_labels(folder / "labels.csv")
    names = sorted(set(labels.values()))
    rows, photo_idx, boxes, people, misses = [], [], [], [], 0
    found = extract_photos(
        [folder / name for name in labels],
        context.detector,
        context.embedder,
        workers=context.options.workers,
    )
    for i, (person, item) in enumerate(zip(labels.values(), found, strict=True)):
        if not isinstance(item, PhotoFaces):
            raise DataError(f"{item.photo}: {item.reason}")
        on_picture(i + 1, len(labels))
        n = len(item.faces)
        misses += n == 0
        named = choose_face(item.faces.boxes_xyxy) if n else -1
        rows.append(item.embeddings)
        photo_idx += [i] * n
        boxes += [_box(box) for box in item.faces.boxes_xyxy]
        people += [names.index(person) if k == named else -1 for k in range(n)]
    photos = [context.relative(folder / name) for name in labels]
    return Album(
        np.concatenate(rows),
        np.array(photo_idx, np.int64),
        boxes,
        np.array(people, np.int64),
        photos,
        names,
        misses,
    )


def _box(box: NDArray[np.float32]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (round(float(v), 1) for v in box)
    return x0, y0, x1, y1


def _largest(album: Album, labels: NDArray[np.int32]) -> tuple[Pictures, str, int]:
    idx = np.flatnonzero(labels == 0)
    people = album.people[idx]
    known = people[people >= 0]
    person = int(np.bincount(known).argmax()) if len(known) else -1
    mean = album.rows[idx].mean(0)
    order = idx[np.argsort(-(album.rows[idx] @ mean), kind="stable")]
    pictures = tuple(
        Picture(
            album.photos[album.photo_idx[i]], album.boxes[i], wrong=bool(album.people[i] not in (person, -1))
        )
        for i in order[:SHOWN]
    )
    right = f"{int((known == person).sum())} of {len(known)}"
    more = f", of which {SHOWN} are shown" if len(idx) > SHOWN else ""
    return Pictures(f"{RULE} {len(idx)} faces{more}.", (PictureRow("", pictures),)), right, len(idx)


FIGURE7 = Part(
    "figure7",
    "Figure 7: face clustering",
    "One cluster of a user's photo collection, found by agglomerative clustering: invariant to occlusion, "
    "lighting, pose and even age.",
    make,
    ("model", "detector", "data"),
    version=2,
)
