"""`facespace evaluate`: the standard protocols on any model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli import measures
from facespace.cli.console import console, data_folder, progress, say, show_json
from facespace.cli.options import AsJson, Data, DetectorFile, Far, ModelFile, Workers
from facespace.models import GROUP_FAR

if TYPE_CHECKING:
    from facespace.evaluate.detection import DetectionReport

__all__ = ["app"]

app = typer.Typer(help="Measure models by the standard protocols.", no_args_is_help=True)
app.command("quality")(measures.quality)
app.command("bytes")(measures.byte_form)


@app.command()
def lfw(
    data: Data = None,
    mode: Annotated[
        str, typer.Option(help="'detector' (our crop) or 'centre' (one fixed crop).")
    ] = "detector",
    flip: Annotated[bool, typer.Option("--flip", help="Add the mirror image's embedding.")] = False,
    model: ModelFile = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Accuracy on Labeled Faces in the Wild: `DATA/lfw/pairs.txt` and the pictures that it names.

    Example: facespace evaluate lfw --data ../shared/data
    """
    from facespace.embed import Embedder
    from facespace.errors import InputError
    from facespace.evaluate.lfw import evaluate_lfw
    from facespace.faces.detect import Detector

    if mode not in ("detector", "centre"):
        raise InputError(f"--mode: expected 'detector' or 'centre', got '{mode}'")
    chosen = Detector(detector) if mode == "detector" else None
    with progress("LFW") as on_photo:
        result = evaluate_lfw(
            data_folder(data) / "lfw", Embedder(model), chosen, flip=flip, workers=workers, on_photo=on_photo
        )
    if json:
        show_json(result)
    else:
        console.print("\n".join(result.lines()))
        if result.detector_failures:
            say(f"{result.detector_failures} pictures without a detected face were cropped at the centre")


@app.command()
def holdout(data: Data = None, model: ModelFile = None, json: AsJson = False) -> None:
    """TAR (VAL) at FAR 1e-2 to 1e-6 over all pairs of `DATA/faces/val/<identity>/<image>`.

    Example: facespace evaluate holdout --data ../shared/data
    """
    from facespace.embed import Embedder
    from facespace.evaluate.holdout import embed_holdout, evaluate_holdout

    with progress("embedding") as on_face:
        faces = embed_holdout(data_folder(data) / "faces" / "val", Embedder(model), on_face=on_face)
    result = evaluate_holdout(faces)
    if json:
        show_json(result)
        return
    console.print(f"{result.n_faces} faces of {result.n_identities} people: "
                  f"{result.n_same:,} same and {result.n_diff:,} different pairs")  # fmt: skip
    for far, tar in result.tar.items():
        if tar["all"] is None:
            console.print(f"TAR (VAL) at FAR {far}: not supported by so few pairs")
            continue
        known = tar["mean"] is not None
        splits = f"{_percent(tar['mean'])} +- {_percent(tar['se'])}" if known else "not supported"
        over = f"over {result.n_splits} splits {splits}"
        console.print(f"TAR (VAL) at FAR {far}: {_percent(tar['all'])} over all pairs; {over}")


@app.command()
def album(
    photos: Annotated[Path, typer.Argument(help="Folder of photos.", show_default=False)],
    labels: Annotated[Path, typer.Option(help="CSV file with columns photo,person.")],
    far: Far = GROUP_FAR,
    model: ModelFile = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Group photos of known people and score the groups; the labelled person is the largest face.

    Example: facespace evaluate album albums/people --labels albums/people/labels.csv
    """
    from facespace.embed import Embedder
    from facespace.evaluate.album import evaluate_album, extract_album, read_labels
    from facespace.faces.detect import Detector

    embedder = Embedder(model)
    with progress("finding faces") as on_photo:
        faces = extract_album(
            photos, read_labels(labels), Detector(detector), embedder, workers=workers, on_photo=on_photo
        )
    result = evaluate_album(faces, threshold=embedder.spec.distance_at(far))
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
    json: AsJson = False,
) -> None:
    """Precision, recall, landmark error and speed of detectors on held-out photos and group stills.

    The published detectors under `DATA/peers` are measured beside it.

    Example: facespace evaluate detector --data ../shared/data --sheet faults.png
    """
    from facespace.evaluate.detection import evaluate_detector
    from facespace.evaluate.detection_sheet import write_sheet

    folder = data_folder(data)
    reports = evaluate_detector(folder, [None, *(model or [])], seen_by_eye=not every_label)
    if sheet:
        say(f"{write_sheet(folder, sheet)} photos with faults in {sheet}")
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


def _percent(share: float | None) -> str:
    return "not supported" if share is None else f"{100 * share:.2f} %"
