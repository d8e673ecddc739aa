"""`facespace evaluate identification` and `facespace evaluate gallery`: 1:N, scored."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli.console import console, data_folder, progress, show_json, warn
from facespace.cli.options import AsJson, Data, DetectorFile, ModelFile, Workers
from facespace.evaluate.defaults import N_GALLERIES, N_TEMPLATES
from facespace.gallery.identification import FPIR

if TYPE_CHECKING:
    from facespace.evaluate.gallery_album import GalleryScores
    from facespace.evaluate.identification import IdentificationResult

__all__ = ["gallery", "identification"]


def identification(
    faces: Annotated[
        Path | None,
        typer.Argument(
            help="DATA/faces/val unless given: crops in folders <identity>/<image>, a FaceTable, or an .npz.",
            show_default=False,
        ),
    ] = None,
    templates: Annotated[int, typer.Option(min=1, help="Faces enrolled of each person.")] = N_TEMPLATES,
    draws: Annotated[int, typer.Option(min=2, help="Random halves of the people.")] = N_GALLERIES,
    data: Data = None,
    model: ModelFile = None,
    json: AsJson = False,
) -> None:
    """Identify in a gallery of half of the people, the others being strangers: rank-1, FNIR at FPIR, and is FPIR met?

    Example: facespace evaluate identification --data ../shared/data
    """
    from facespace.embed import Embedder
    from facespace.evaluate.face_set import is_embedded, read_faces
    from facespace.evaluate.identification import evaluate_identification

    source, embedder = faces or data_folder(data) / "faces" / "val", Embedder(model)
    with progress("embedding") as on_face:
        known = read_faces(source, None if is_embedded(source) else embedder, on_face=on_face)
    result = evaluate_identification(known, embedder.spec, n_templates=templates, n_draws=draws)
    show_json(result) if json else _show(result)


def gallery(
    enrolled: Annotated[
        Path,
        typer.Argument(help="Folder of photos of the people to enrol, a folder each.", show_default=False),
    ],
    photos: Annotated[Path, typer.Argument(help="Folder of the photos to identify in.", show_default=False)],
    labels: Annotated[
        Path,
        typer.Option(help="CSV file with columns photo,x,y,person: a point inside each face, and who it is."),
    ],
    fpir: Annotated[float, typer.Option(help="Share of strangers who may be taken for somebody.")] = FPIR,
    model: ModelFile = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Enrol people from photos, identify faces of other photos, and count what is right.

    Example: facespace evaluate gallery bigbang/examples/images bigbang --labels benchmarks/bigbang.csv
    """
    from facespace.embed import Embedder
    from facespace.evaluate.gallery_album import evaluate_gallery, read_named_points
    from facespace.faces.detect import Detector
    from facespace.gallery import Gallery, enrol, named_by_folder

    points, embedder, finder = read_named_points(labels, on_broken=warn), Embedder(model), Detector(detector)
    with tempfile.TemporaryDirectory() as folder, Gallery(Path(folder) / "gallery") as opened:
        with progress("enrolling") as on_photo:
            enrol(
                opened, named_by_folder([enrolled])[0], finder, embedder, workers=workers, on_photo=on_photo
            )
        with progress("identifying") as on_photo:
            scores = evaluate_gallery(opened, photos, points, finder, embedder, fpir=fpir, on_photo=on_photo)
    show_json(scores) if json else _show_scores(scores)


def _show(result: "IdentificationResult") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("method", "rank-1", "FPIR", "FNIR", "SE", "FPIR met", "SE", "FNIR there"):
        table.add_column(name)
    for row in result.rows:
        values = (row.fpir, row.fnir, row.fnir_se, row.fpir_met, row.fpir_met_se, row.fnir_met)
        rank_1 = f"{100 * result.rank_1[row.method][0]:.2f} %"
        table.add_row(row.method, rank_1, *("" if v is None else f"{100 * v:.2f} %" for v in values))
    console.print(table)
    console.print(
        f"{result.n_subjects} subjects with {result.n_templates:.0f} templates; {result.n_mated:.0f} probes of them, "
        f"{result.n_unmated:.0f} of strangers; means over {result.n_draws} draws"
    )
    console.print(
        "FNIR: at the threshold of the draw's own strangers; then at the one that `gallery identify` takes"
    )


def _show_scores(scores: "GalleryScores") -> None:
    console.print(
        f"rank-1: {scores.n_rank_1} of {scores.n_mated} faces of {scores.n_subjects} enrolled people"
    )
    console.print(
        f"FNIR: {scores.n_missed} of {scores.n_mated} not named rightly ({scores.n_wrong} by another's name, "
        f"{scores.n_undetected} not detected)"
    )
    console.print(
        f"FPIR: {scores.n_false} of {scores.n_unmated} strangers named; {scores.fpir:g} was asked for"
    )
    console.print(
        f"left out: {scores.n_same_picture} faces whose very picture is enrolled, {scores.n_unnamed} not in the list"
    )
