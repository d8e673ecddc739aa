"""A gallery scored end to end: people enrolled from photos, and faces of other photos whose names are known."""

import tempfile
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Annotated

import numpy as np

from facespace.errors import DataError
from facespace.extract import FaceDetector, FaceEmbedder, extract_table
from facespace.gallery import FPIR, Gallery, Identities, named_by_folder
from facespace.measure.context import Context
from facespace.measure.embedding import OnStep
from facespace.measure.experiment import Option, experiment
from facespace.measure.result import MEASURED, Column, Result, Table, plain
from facespace.spreadsheets import OnBroken, cell_text, read_table, refuse_rows
from facespace.table import FaceTable


@dataclass(frozen=True)
class NamedPoint:
    """A point inside a face, pixels of the upright photo, and whom the face shows; empty for an unknown person."""

    photo: str
    x: float
    y: float
    person: str


@dataclass(frozen=True)
class GalleryScores:
    """Counts over the named faces of photos that were not enrolled themselves."""

    n_mated: int  # faces of enrolled people
    n_rank_1: int  # of these, the nearest subject is right
    # of these, not named rightly (FNIR = n_missed / n_mated): unknown, another's name, or no face found
    n_missed: int
    n_wrong: int  # of these, another's name
    n_undetected: int  # of these, no face was found at the point
    n_unmated: int  # faces of unknown people
    n_false: int  # of these, named (FPIR = n_false / n_unmated); one in whom no face is found is not
    n_same_picture: int  # named faces left out, since the very picture is enrolled
    n_unnamed: int  # faces found that the list does not name; they are not scored
    n_subjects: int  # in the gallery
    fpir: float  # asked for
    far: float  # of one comparison in this gallery


def read_named_points(path: Path, *, on_broken: OnBroken | None = None) -> list[NamedPoint]:
    """From a CSV file with the columns `photo`, `x`, `y` and `person`; see `facespace.spreadsheets`.

    Args:
        path: of the file.
        on_broken: called with a line of text for each row that cannot be used; None makes them an error.

    Raises:
        DataError: no such file or columns, or broken rows.
    """
    table = read_table(path)
    points, broken = [], list(table.broken)
    for line, (photo, x, y, person) in table.select("photo", "x", "y", "person"):
        try:
            point = NamedPoint(photo, _number(x), _number(y), cell_text(person))
        except ValueError:
            broken.append((line, f"expected a point, got {x[:20]} and {y[:20]}"))
            continue
        points.append(point)
    refuse_rows(path, broken, on_broken)
    return points


def _number(text: str) -> float:
    """A finite number, with the decimal comma of tables that have semicolons too."""
    value = float(text.replace(",", "."))
    if not isfinite(value):
        raise ValueError(text)
    return value


def evaluate_gallery(
    gallery: Gallery,
    photos: Path,
    points: list[NamedPoint],
    detector: FaceDetector,
    embedder: FaceEmbedder,
    *,
    fpir: float = FPIR,
    on_photo: OnStep | None = None,
) -> GalleryScores:
    """Identify the faces of the photos that ``points`` name, and score them.

    Args:
        gallery: with people enrolled.
        photos: folder that the points' photos are below.
        points: whom the faces show; who is not enrolled counts as unknown.
        detector: finds the faces.
        embedder: of a model that may meet the gallery's.
        fpir: see `facespace.gallery.identify`.
        on_photo: called with (photos done, in all).

    Raises:
        DataError: a photo is not there or cannot be read, or the gallery is empty.
    """
    names = list(dict.fromkeys(point.photo for point in points))
    table, unreadable = extract_table(
        [photos / name for name in names], detector, embedder, on_photo=on_photo
    )
    if unreadable:
        raise DataError(f"{unreadable[0].photo}: {unreadable[0].reason}")
    found = gallery.identify(table.embedding, embedder.spec, fpir=fpir)
    if not found.n_subjects:
        raise DataError("expected a gallery with people enrolled, it is empty")
    enrolled = {face.photo_sha256 for face in gallery.faces()}
    known = {subject.name for subject in gallery.subjects()}
    digests = dict(zip(names, table.photo_sha256, strict=True))
    scored = [point for point in points if digests[point.photo] not in enrolled]
    rows = [(point, _face_at(table, names.index(point.photo), point)) for point in scored]
    mated = [(point, face) for point, face in rows if point.person in known]
    unknown = [face for point, face in rows if point.person not in known]
    named = {face for _, face in rows} | {
        _face_at(table, names.index(p.photo), p) for p in points if digests[p.photo] in enrolled
    }
    return GalleryScores(
        n_mated=len(mated),
        n_rank_1=sum(face is not None and found.nearest[face] == point.person for point, face in mated),
        n_missed=sum(face is None or found.subject[face] != point.person for point, face in mated),
        n_wrong=sum(_is_named_wrongly(found, point, face) for point, face in mated),
        n_undetected=sum(face is None for _, face in mated),
        n_unmated=len(unknown),
        n_false=sum(face is not None and found.subject[face] is not None for face in unknown),
        n_same_picture=len(points) - len(scored),
        n_unnamed=len(table) - len(named - {None}),
        n_subjects=found.n_subjects,
        fpir=fpir,
        far=found.far,
    )


def _is_named_wrongly(found: Identities, point: NamedPoint, face: int | None) -> bool:
    return face is not None and found.subject[face] not in (None, point.person)


def _face_at(table: FaceTable, photo: int, point: NamedPoint) -> int | None:
    """The smallest face of a photo whose box holds the point."""
    box = table.box_xyxy
    inside = (
        (table.photo_idx == photo)
        & (box[:, 0] <= point.x) & (point.x <= box[:, 2]) & (box[:, 1] <= point.y) & (point.y <= box[:, 3])
    )  # fmt: skip
    faces = np.flatnonzero(inside)
    if not len(faces):
        return None
    sides = box[faces, 2:] - box[faces, :2]
    return int(faces[(sides[:, 0] * sides[:, 1]).argmin()])


@experiment(
    "Recognition is a nearest-neighbour search in the space; no figure is given for it.",
    needs=("model", "detector", "workers"),
    example="bigbang/examples/images bigbang --labels benchmarks/bigbang.csv",
)
def run(
    context: Context,
    *,
    enrolled: Annotated[
        Path, Option("Folder of photos of the people to enrol, a folder each.", argument=True)
    ],
    photos: Annotated[Path, Option("Folder of the photos to identify in.", argument=True)],
    labels: Annotated[
        Path, Option("CSV file with columns photo,x,y,person: a point inside each face, and who it is.")
    ],
    fpir: Annotated[float, Option("Share of unknown people who may be taken for somebody.")] = FPIR,
) -> Result:
    """Enrol people from photos, identify faces of other photos, and count what is right."""
    broken: list[str] = []
    points = read_named_points(labels, on_broken=broken.append)
    detector, embedder = context.detector, context.embedder
    with tempfile.TemporaryDirectory() as folder, Gallery(Path(folder) / "gallery") as gallery:
        gallery.enrol(
            named_by_folder([enrolled])[0], detector, embedder, workers=context.setup.workers,
            on_photo=context.on_step,
        )  # fmt: skip
        scores = evaluate_gallery(
            gallery, photos, points, detector, embedder, fpir=fpir, on_photo=context.on_step
        )
    rows = (
        ("rank-1: the nearest subject is right", scores.n_rank_1, scores.n_mated),
        ("FNIR: not named rightly", scores.n_missed, scores.n_mated),
        ("by another's name", scores.n_wrong, scores.n_mated),
        ("no face detected", scores.n_undetected, scores.n_mated),
        ("FPIR: unknown people who are named", scores.n_false, scores.n_unmated),
    )
    columns = (Column("outcome"), Column("faces", "count"), Column("of", "count"))
    return Result(
        MEASURED,
        f"{scores.n_rank_1} of {scores.n_mated} faces of {scores.n_subjects} enrolled people have the right nearest "
        f"subject; {scores.n_missed} are not named rightly, {scores.n_false} of {scores.n_unmated} unknown people are "
        "named.",
        (Table(f"At FPIR {scores.fpir:g}, FAR {scores.far:.2g} of one comparison.", columns, rows),),
        (
            f"Left out: {scores.n_same_picture} faces whose very picture is enrolled, {scores.n_unnamed} not in the "
            "list.",
            *broken,
        ),
        figures=plain(scores),
    )
