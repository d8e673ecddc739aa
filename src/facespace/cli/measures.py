"""`facespace evaluate quality / bytes / card`: is quality of use, what do bytes cost, and a model's card."""

from pathlib import Path
from typing import Annotated

import typer

from facespace.cli.console import console, data_folder, progress, say, show_json
from facespace.cli.options import AsJson, Data, DetectorFile, ModelFile

__all__ = ["byte_form", "card", "quality"]


def card(
    file: Annotated[
        Path | None,
        typer.Option(
            "--card", help="Model card (Markdown) to write the figures into, and a JSON file beside it."
        ),
    ] = None,
    data: Data = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    json: AsJson = False,
) -> None:
    """Every figure of an embedder's model card: hold-out, LFW, an album, bytes, quality, size and speed.

    Example: facespace evaluate card --data ../shared/data --card docs/models/facespace-s.md
    """
    from facespace.embed import Embedder
    from facespace.evaluate.card import write_card
    from facespace.evaluate.embedder_card import measure_embedder, render_embedder
    from facespace.faces.detect import Detector

    figures = measure_embedder(data_folder(data), Embedder(model), Detector(detector), on_part=say)
    if file:
        say(f"figures in {file} and {write_card(file, figures, render_embedder(figures))}")
    if json:
        show_json(figures)
    elif not file:
        console.print(render_embedder(figures), markup=False)


def quality(data: Data = None, model: ModelFile = None, json: AsJson = False) -> None:
    """TAR (VAL) on `DATA/faces/val` without the tenth of least quality, beside that without a tenth by chance.

    Each person keeps at least five faces; the difference has an interval over people.

    Example: facespace evaluate quality --data ../shared/data
    """
    from facespace.embed import Embedder
    from facespace.evaluate.holdout import embed_holdout
    from facespace.evaluate.quality import evaluate_quality, holdout_quality

    root, embedder = data_folder(data) / "faces" / "val", Embedder(model)
    with progress("embedding") as on_face:
        faces = embed_holdout(root, embedder, on_face=on_face)
    result = evaluate_quality(faces, holdout_quality(root, embedder))
    if json:
        show_json(result)
        return
    console.print(
        f"TAR (VAL) at FAR {result.far:g}: {100 * result.tar_all:.2f} % of all {result.n_faces} faces, "
        f"{100 * result.tar_without_worst:.2f} % without the {result.n_dropped} of least quality, "
        f"{100 * result.tar_without_random:.2f} % without as many by chance"
    )
    low, high = (100 * value for value in result.gain_interval)
    console.print(f"gain {100 * result.gain:.2f} points (95 %: {low:.2f} to {high:.2f})")


def byte_form(data: Data = None, model: ModelFile = None, json: AsJson = False) -> None:
    """TAR (VAL) on `DATA/faces/val` of embeddings stored as bytes, beside that of the floats.

    Example: facespace evaluate bytes --data ../shared/data
    """
    from facespace.embed import Embedder
    from facespace.evaluate.byte_form import evaluate_bytes
    from facespace.evaluate.holdout import embed_holdout

    embedder = Embedder(model)
    with progress("embedding") as on_face:
        faces = embed_holdout(data_folder(data) / "faces" / "val", embedder, on_face=on_face)
    result = evaluate_bytes(faces, embedder.spec.byte_scale)
    if json:
        show_json(result)
        return
    if result.change is None or result.tar_floats is None or result.tar_bytes is None:
        console.print(f"{result.n_diff} different pairs cannot support FAR {result.far:g}")
        return
    low, high = (100 * value for value in result.change_interval)
    console.print(
        f"TAR (VAL) at FAR {result.far:g}: {100 * result.tar_floats:.3f} % as floats, {100 * result.tar_bytes:.3f} % "
        f"as bytes: {100 * result.change:+.3f} points (95 %: {low:+.3f} to {high:+.3f})"
    )
    console.print(f"scale {result.byte_scale}, {100 * result.clipped:.4f} % of the components clipped")
