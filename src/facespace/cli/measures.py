"""`facespace evaluate quality / bytes / strangers / card`: is quality of use, what do bytes cost, who groups well?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli.console import console, data_folder, say, show_json
from facespace.cli.holdout_faces import embed_val, val_folder
from facespace.cli.options import AsJson, Data, DetectorFile, ModelFile
from facespace.cluster.threshold import STRANGERS_IN_REACH

if TYPE_CHECKING:
    from facespace.evaluate.strangers import StrangersPile

__all__ = ["byte_form", "card", "quality", "strangers"]


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
    from facespace.evaluate.quality import evaluate_quality, holdout_quality

    embedder, faces = embed_val(model, data)
    result = evaluate_quality(faces, holdout_quality(val_folder(data), embedder))
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
    from facespace.evaluate.byte_form import evaluate_bytes

    embedder, faces = embed_val(model, data)
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


def strangers(
    data: Data = None,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", help="Calibrated embedder; may be repeated. The built-in unless given."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Which --strangers groups best: piles of 8 people and more of `DATA/faces/val`, grouped at many thresholds.

    Example: facespace evaluate strangers --data ../shared/data
    """
    from facespace.evaluate.strangers import best_strangers, measure_strangers

    found = {}
    for model in models or [None]:  # type: ignore[list-item]
        embedder, faces = embed_val(model, data)
        found[embedder.spec.label] = measure_strangers(faces, embedder.spec.distances)
    if json:
        show_json(found)
        return
    for model, piles in found.items():
        _show_strangers(model, piles)
    best = best_strangers([pile for piles in found.values() for pile in piles])
    console.print(f"best over all these piles: --strangers {best:g} (default {STRANGERS_IN_REACH:g})")


def _show_strangers(model: str, piles: "list[StrangersPile]") -> None:
    from facespace.evaluate.strangers import FIXED_FAR, TRIED

    console.print(
        f"{model}: pairwise F1 by strangers within reach of a face, and at FAR {FIXED_FAR:g} for all"
    )
    console.print("people  faces" + "".join(f"{value:>7g}" for value in TRIED) + "    fixed")
    for pile in piles:
        scores = "".join(f"{value:7.3f}" for value in pile.f1)
        console.print(f"{pile.n_people:6}{pile.n_faces:7.0f}{scores}{pile.fixed_f1:9.3f}")
