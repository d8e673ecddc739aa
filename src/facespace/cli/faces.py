"""`facespace embed`, `cluster` and `convert`: photos to a FaceTable, a FaceTable to people or to other programs."""

import csv
import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from facespace.cli.console import say, show, show_json, warn
from facespace.cli.options import (
    AsJson,
    DetectorFile,
    Impostors,
    ModelFile,
    NetworkDevice,
    On,
    PairFar,
    TileChoice,
    Workers,
)
from facespace.cli.progress import progress
from facespace.cluster import IMPOSTORS_IN_REACH, TableGroups, group_table
from facespace.embed import Embedder
from facespace.errors import DataError, InputError, MissingExtraError
from facespace.extract import EmbedResult, embed_photos
from facespace.extract.exports import export_table
from facespace.faces.addresses import face_at, split_address
from facespace.faces.detect import Detector
from facespace.faces.tiles import read_tiles
from facespace.images import photo_path
from facespace.measure.cluster_pictures import write_cluster_pictures
from facespace.models import find_model, read_spec
from facespace.models.devices import AUTO
from facespace.saved_arrays import ArrayFolder
from facespace.saved_files import written_beside
from facespace.table import FaceTable
from facespace.workers import open_workers

Faces = Annotated[Path, typer.Argument(help="A FaceTable that `embed` wrote.", show_default=False)]


def embed(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATHS...",
            help="Photos and videos, or folders of them; also addresses such as s3://bucket/folder.",
            show_default=False,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="FaceTable (a folder) to write or extend.")],
    crops: Annotated[
        bool, typer.Option("--crops", help="The files are aligned faces; their folders name the people.")
    ] = False,
    model: ModelFile = None,
    detector: DetectorFile = None,
    tiles: TileChoice = "auto",
    device: NetworkDevice = AUTO,
    workers: Workers = None,
    on: On = None,
    json: AsJson = False,
) -> None:
    """Embed every face of photos and videos into a table.

    For a video, the best faces of each appearance of a person are embedded.

    Photos already in the table are skipped. Deleted and replaced photos are removed from it.

    Example: facespace embed ~/Pictures -o faces
    """
    photos = [photo_path(path) for path in paths]
    embedder = Embedder(model, device=device)
    finder = None if crops else Detector(detector, tiles=read_tiles(tiles), device=device)
    with open_workers(on, workers) as all_workers, progress("embedding") as on_photo:
        result = embed_photos(photos, output, finder, embedder, workers=all_workers, on_photo=on_photo)
    _show_embedded(result, output, json=json)


def _show_embedded(result: EmbedResult, output: Path, *, json: bool) -> None:
    for file in (*result.unreadable, *result.partial):
        warn(f"{file.photo}: {file.reason}")
    if json:
        show_json(
            {
                "faces": result.n_faces, "photos": result.n_photos, "new": result.n_new, "output": output,
                "left": result.n_left,
                "unreadable": [{"photo": str(u.photo), "reason": u.reason} for u in result.unreadable],
                "partial": [{"photo": str(u.photo), "reason": u.reason} for u in result.partial],
            }
        )  # fmt: skip
    else:
        show(
            f"{result.n_faces} faces of {result.n_photos} files ({result.n_new} new) in {output}; "
            f"{sum(file.n_files for file in result.unreadable)} not readable"
            + (f"; {len(result.partial)} read in part" if result.partial else "")
            + (f"; {result.n_left} deleted or replaced files left the table" if result.n_left else "")
        )


def convert(
    faces: Faces,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write the files to.")],
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="'openface' (reps.csv, labels.csv), 'npy' (embeddings.npy, labels.npy) or 'projector' (TensorBoard).",
        ),
    ] = "npy",
    json: AsJson = False,
) -> None:
    """Write a table of faces for other programs.

    Example: facespace convert faces -o reps --format openface
    """
    files = export_table(FaceTable.load(faces), output, form)
    show_json({"files": files}) if json else show(*map(str, files))


def cluster(
    faces: Faces,
    output: Annotated[Path, typer.Option("-o", "--output", help="CSV file to write: photo, box, person.")],
    impostors: Impostors = IMPOSTORS_IN_REACH,
    far: PairFar = None,
    threshold: Annotated[
        float | None, typer.Option(min=0.0, max=4.0, help="Distance, instead of a rate.")
    ] = None,
    min_quality: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Set poorer faces aside, and attach them afterwards.")
    ] = 0.0,
    explain: Annotated[
        tuple[str, str] | None,
        typer.Option(
            metavar="FACE FACE", help="Explain why two faces, given as PHOTO#K, are one person or two."
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps intermediate results of a large table, to resume from."),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for pictures: the merge tree, the distances, a map of people.")
    ] = None,
    person: Annotated[
        int | None, typer.Option(help="With --pictures: draw the tree of this person alone.")
    ] = None,
    model: ModelFile = None,
    workers: Workers = None,
    on: On = None,
    json: AsJson = False,
) -> None:
    """Group the faces of a table by person.

    The groups are scored if the table knows the people.

    Example: facespace cluster faces -o people.csv
    """
    _check_outputs(output, pictures, person)
    table = FaceTable.load(faces)
    spec = read_spec(find_model(model, "embedder"))
    asked = (_row(table, explain[0]), _row(table, explain[1])) if explain else None
    with open_workers(on, workers) as all_workers, progress("grouping") as on_progress:
        found = group_table(
            table, spec, impostors=impostors, far=far, threshold=threshold, min_quality=min_quality,
            explained=asked, saved=_kept(keep, table), on_progress=on_progress, workers=all_workers,
        )  # fmt: skip
    _write_csv(output, table, found.labels)
    if pictures:
        _draw(pictures, table, found, person)
    show_json(found.to_json()) if json else _show_groups(found, output)


def _check_outputs(output: Path, pictures: Path | None, person: int | None) -> None:
    """Fail before the work and not after it."""
    if not output.parent.is_dir():
        raise DataError(f"{output}: expected a file in a folder that exists; make {output.parent} first")
    if person is not None and pictures is None:
        raise InputError("--person: expected together with --pictures DIR")
    if pictures and find_spec("matplotlib") is None:
        raise MissingExtraError("a picture", "report")


def _row(table: FaceTable, face: str) -> int:
    """The row of `PHOTO#K`, or of a photo with one face; rows of the output by number, from 0, will do."""
    photo, k = split_address(face)
    rows = np.array([i for i, p in enumerate(table.photo_idx) if table.photos[p] in (face, photo)], np.intp)
    if not len(rows) and face.isdecimal():
        return int(face)
    if not len(rows) or (k is None and len(rows) > 1):
        met = (
            f"it shows {len(rows)}, say which: {face}#K"
            if len(rows)
            else "no face of the table is from there"
        )
        raise InputError(f"--explain {face}: expected one face of the table; {met}")
    return int(rows[0] if k is None else rows[face_at(table.box_xyxy[rows], k, photo)])


def _kept(folder: Path | None, table: FaceTable) -> ArrayFolder | None:
    if folder is None:
        return None
    digest = hashlib.sha256(np.ascontiguousarray(table.embedding).data)
    digest.update(table.photo_idx.tobytes())
    return ArrayFolder(folder, digest.hexdigest())


def _draw(folder: Path, table: FaceTable, found: TableGroups, person: int | None) -> None:
    rows = np.asarray(table.embedding)
    for path in write_cluster_pictures(folder, rows, found.labels, threshold=found.threshold, person=person):
        say(f"wrote {path}")


def _show_groups(found: TableGroups, output: Path) -> None:
    show(
        f"{len(found.labels)} faces, {found.n_people} people at distance {found.threshold:.3f}, written to {output}"
    )
    if found.collection:
        beyond = " (extrapolated beyond the calibration)" if found.collection.extrapolated else ""
        show(
            f"that is a false-accept rate of {found.collection.far:.2g}{beyond}: of {found.collection.n_pairs:,} pairs "
            f"up to {found.collection.false_pairs:,.0f} of different people are this near"
        )
    show(*(f"{name.replace('_', ' ')}: {value:.4f}" for name, value in (found.scores or {}).items()))
    show(*(found.explanation.lines() if found.explanation else ()))
    for group in found.doubtful:
        warn(
            f"person {group.label} ({group.n_faces} faces) may be several people: {'; '.join(group.reasons)}"
        )
    if found.recall < 1:
        say(f"a large table: {100 * found.recall:.1f} % of the true nearest faces were found")
    say("people are numbered by the size of their group, the largest first")


def _write_csv(path: Path, table: FaceTable, labels: NDArray[np.int32]) -> None:
    with (
        written_beside(path, private=True) as partial,
        partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["photo", "x0", "y0", "x1", "y1", "person", "time"])
        for i in range(len(table)):
            box = ["" if v != v else f"{v:.2f}" for v in table.box_xyxy[i].tolist()]
            time_s = float(table.time_s[i])
            seconds = "" if time_s != time_s else f"{time_s:.3f}"
            writer.writerow([table.photos[table.photo_idx[i]], *box, int(labels[i]), seconds])
