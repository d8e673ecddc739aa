"""`facespace evaluate`: the standard protocols on any model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli import harmonic, identification, measures, protocols, sweep
from facespace.cli.console import console, data_folder, progress, say, show_json, warn
from facespace.cli.options import AsJson, Data, DetectorFile, ModelFile, PairFar, Strangers, Workers
from facespace.cluster.threshold import STRANGERS_IN_REACH, collection_threshold

if TYPE_CHECKING:
    from facespace.evaluate.clusters import ClusterRow
    from facespace.evaluate.detection import DetectionReport

__all__ = ["app"]

app = typer.Typer(help="Measure models by the standard protocols.", no_args_is_help=True)
app.add_typer(sweep.app, name="sweep")
app.command()(protocols.lfw)
app.command()(protocols.youtube)
app.command()(protocols.holdout)
app.command()(protocols.photos)
app.command()(protocols.leaks)
app.command("harmonic")(harmonic.evaluate_versions)
app.command()(identification.identification)
app.command()(identification.gallery)
app.command("quality")(measures.quality)
app.command("bytes")(measures.byte_form)
app.command()(measures.card)
app.command()(measures.strangers)


@app.command()
def album(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.", show_default=False)],
    labels: Annotated[Path, typer.Option(help="CSV file with columns photo,person.")],
    strangers: Strangers = STRANGERS_IN_REACH,
    far: PairFar = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Group photos of known people and score the groups; the labelled person is the largest face.

    Example: facespace evaluate album albums/people --labels albums/people/labels.csv
    """
    from facespace.embed import Embedder
    from facespace.evaluate.album import evaluate_album, extract_album
    from facespace.faces.detect import Detector
    from facespace.gallery import read_labels

    named, embedder = read_labels(labels, on_broken=warn), Embedder(model)
    with progress("finding faces") as on_photo:
        faces = extract_album(photos, named, Detector(detector), embedder, workers=workers, on_photo=on_photo)
    n_faces, distances = len(faces.embeddings), embedder.spec.distances
    chosen = collection_threshold(distances, n_faces, strangers=strangers, far=far)
    result = evaluate_album(faces, threshold=chosen.distance)
    if json:
        show_json(result)
        return
    for name, scores in (("pairwise", result.pairwise), ("BCubed", result.bcubed)):
        console.print(
            f"{name}: precision {scores.precision:.4f}, recall {scores.recall:.4f}, F1 {scores.f1:.4f}"
        )
    console.print(f"{result.n_photos} labelled photos, {result.n_faces} faces, {result.n_misses} without a face, "
                  f"{result.n_people} groups at distance {result.threshold:.3f}")  # fmt: skip
    console.print(f"best F1 at any threshold (chosen on this album itself): {result.best_f1:.4f}")


@app.command()
def clusters(
    data: Data = None,
    piles: Annotated[
        list[str] | None,
        typer.Option("--pile", help="people, val or lfw; may be repeated. All unless given."),
    ] = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", help="Calibrated embedder; may be repeated. The built-in unless given."),
    ] = None,
    detector: DetectorFile = None,
    docs: Annotated[
        Path | None, typer.Option(help="Write the scores as a Markdown page to this file.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Group piles of known faces: our threshold beside our best one and beside other methods at their best.

    Example: facespace evaluate clusters --data ../shared/data --pile val
    """
    from facespace.embed import Embedder
    from facespace.evaluate.cluster_page import write_cluster_page
    from facespace.evaluate.clusters import PILES, evaluate_clusters
    from facespace.faces.detect import Detector

    embedders = [Embedder(model) for model in models] if models else [Embedder()]
    rows = evaluate_clusters(
        data_folder(data), embedders, Detector(detector), piles=tuple(piles or PILES), on_pile=say
    )
    if docs:
        write_cluster_page(rows, docs, command=_clusters_command(piles, models, docs))
    if json:
        show_json(rows)
    else:
        _show_clusters(rows)


def _clusters_command(piles: list[str] | None, models: list[str] | None, docs: Path) -> str:
    """As a reader would type it; the data and imported models lie elsewhere for them."""
    chosen = [f"--pile {pile}" for pile in piles or ()] + [f"--model {Path(m).name}" for m in models or ()]
    return " ".join(["facespace evaluate clusters --data DIR", *chosen, f"--docs {docs}"])


def _show_clusters(rows: "list[ClusterRow]") -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in ("pile", "model", "method", "distance", "pair P", "pair R", "pair F1", "BCubed F1", "purity",
                 "adj. Rand", "people", "found", "seconds"):  # fmt: skip
        table.add_column(name)
    for row in rows:
        r = row.report
        scores = (
            r.pairwise.precision,
            r.pairwise.recall,
            r.pairwise.f1,
            r.bcubed.f1,
            r.purity,
            r.adjusted_rand,
        )
        table.add_row(
            row.pile, row.model, row.method, f"{row.threshold:.3f}", *(f"{v:.3f}" for v in scores),
            str(r.n_true), str(r.n_found), f"{row.seconds:.2f}",
        )  # fmt: skip
    console.print(table)


@app.command()
def detector(
    data: Data = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Detector file to set beside the built-in one; may be repeated."),
    ] = None,
    every_label: Annotated[
        bool, typer.Option("--every-label", help="Count also the labels that show no face to the eye.")
    ] = False,
    sheet: Annotated[
        Path | None, typer.Option(help="PNG to write: what the built-in detector missed or invented.")
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option(help="Model card (Markdown) to write the figures into, and a JSON file beside it."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Precision, recall, landmark error and speed of detectors on held-out photos and group stills.

    The published detectors under `DATA/peers` are measured beside it.

    Example: facespace evaluate detector --data ../shared/data --sheet faults.png
    """
    from facespace.evaluate.card import plain, write_card
    from facespace.evaluate.detection import evaluate_detector
    from facespace.evaluate.detection_sheet import write_sheet
    from facespace.evaluate.detector_card import render_detectors

    folder = data_folder(data)
    reports = evaluate_detector(folder, [None, *(model or [])], seen_by_eye=not every_label)
    if sheet:
        say(f"{write_sheet(folder, sheet)} photos with faults in {sheet}")
    if card:
        figures = plain(reports)
        say(f"figures in {card} and {write_card(card, figures, render_detectors(figures))}")
    if json:
        show_json(reports)
    else:
        _show_detectors(reports)


def _show_detectors(reports: "list[DetectionReport]") -> None:
    import dataclasses

    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for report in reports:
        table.add_column(report.model, justify="right")
    for field in dataclasses.fields(reports[0]):
        if field.name != "model":
            table.add_row(field.name, *(_cell(getattr(report, field.name)) for report in reports))
    console.print(table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_cell(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return " to ".join(_cell(item) for item in value)
    return str(value)[:12]
