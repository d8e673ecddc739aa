"""`facespace models import`: a foreign ONNX embedder becomes a model of facespace."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facespace.cli.console import console, data_folder, progress, say, show_json, warn
from facespace.cli.options import AsJson, Data

if TYPE_CHECKING:
    from facespace.evaluate.importing import ImportResult
    from facespace.models.foreign import ForeignInput

__all__ = ["import_model"]

QUESTIONS = {
    "input-px": "rows and columns of its input, in pixels",
    "layout": "order of its input's axes, NCHW or NHWC",
    "colour": "order of its input's channels, RGB or BGR",
    "scaling": "scaling of pixel values: MEAN/STD such as 127.5/127.5, 0/255 or 0/1, or per-image",
    "alignment": "how its faces are cut out: similarity (five landmarks on the template) or tight (the box)",
}


def import_model(
    file: Annotated[Path, typer.Argument(help="Foreign ONNX embedder.", show_default=False)],
    name: Annotated[
        str | None, typer.Option(help="What to call it; the file's name unless given.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="ONNX file to write; in your model folder, found by name, unless given."
        ),
    ] = None,
    colour: Annotated[str | None, typer.Option(help="Channel order of its input: RGB or BGR.")] = None,
    scaling: Annotated[
        str | None,
        typer.Option(
            help="MEAN/STD of pixel values, one number or three each (127.5/127.5, 0/255), or 'per-image'."
        ),
    ] = None,
    alignment: Annotated[
        str | None, typer.Option(help="'similarity' (five landmarks on the template) or 'tight' (the box).")
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0.0, help="Of tight crops: share of the box's side added on each side.")
    ] = 0.0,
    layout: Annotated[
        str | None, typer.Option(help="NCHW or NHWC, where the file leaves it open.", show_default=False)
    ] = None,
    input_px: Annotated[
        int | None,
        typer.Option(min=16, help="Side of its input, where the file leaves it open.", show_default=False),
    ] = None,
    output_name: Annotated[
        str | None, typer.Option(help="Which of several outputs is the embedding.", show_default=False)
    ] = None,
    holdout: Annotated[
        Path | None,
        typer.Option(help="Crops to calibrate on, <identity>/<image>; DATA/faces/val unless given."),
    ] = None,
    training_data: Annotated[str, typer.Option(help="What the weights saw.")] = "not stated",
    licence: Annotated[str, typer.Option(help="Licence of the weights.")] = "not stated",
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Make a foreign ONNX embedder a model of facespace: check it, calibrate its thresholds, write its ModelSpec.

    What cannot be read from the file is asked for on a terminal, or given by options. The preprocessing is
    measured beside the usual alternatives, with a warning where another is clearly better. From then on
    every command takes the model by --model NAME.

    Example: facespace models import arcface.onnx --colour RGB --scaling 127.5/127.5 --alignment similarity --data DIR
    """
    from facespace.evaluate.importing import import_embedder
    from facespace.models import ModelSpec, user_models_folder
    from facespace.models.foreign import check_name, parse_scaling, read_foreign

    faces = holdout or data_folder(data) / "faces" / "val"
    answers = _answers(
        read_foreign(file),
        {
            "input-px": input_px,
            "layout": layout,
            "colour": colour,
            "scaling": scaling,
            "alignment": alignment,
        },
    )
    px = int(answers["input-px"])
    spec = ModelSpec(
        check_name(name or file.stem),
        "imported",
        "embedder",
        (px, px),
        input_layout=answers["layout"].upper(),
        colour=answers["colour"].upper(),
        alignment=answers["alignment"],
        crop_margin=margin,
        dim=0,
        training_data=training_data,
        licence=licence,
        options={"output": output_name} if output_name else {},
        **parse_scaling(answers["scaling"]),  # type: ignore[arg-type]
    )
    target = output or user_models_folder() / f"{spec.name}.onnx"
    with progress("importing") as on_step:
        result = import_embedder(file, target, spec, holdout=faces, on_trial=on_step, on_face=on_step)
    for line in result.warnings:
        warn(line)
    show_json(result) if json else _show(result)
    say(f"use it with --model {target if output else spec.name}")


def _answers(declared: "ForeignInput", given: dict[str, Any]) -> dict[str, Any]:
    """What the file says, else what was given, else what the terminal answers.

    Raises:
        InputError: something is not known and there is no terminal.
    """
    from facespace.errors import InputError

    known = {
        **given,
        "input-px": given["input-px"] or declared.side_px,
        "layout": given["layout"] or declared.layout,
    }
    missing = [name for name, value in known.items() if value is None]
    if missing and not sys.stdin.isatty():
        flags = ", ".join(f"--{name} ({QUESTIONS[name]})" for name in missing)
        raise InputError(
            f"the file cannot say all that must be known, and there is no terminal to ask: give {flags}"
        )
    return known | {name: typer.prompt(f"{name}: {QUESTIONS[name]}", err=True) for name in missing}


def _show(result: "ImportResult") -> None:
    spec = result.spec
    console.print(
        f"{spec.label}: {spec.dim} components, {spec.input_hw[0]}x{spec.input_hw[1]} px, in {result.path}"
    )
    for trial in result.trials:
        gain = f"{100 * trial.gain:+.1f} ({100 * trial.gain_interval[0]:+.1f} to {100 * trial.gain_interval[1]:+.1f})"
        beside = "" if trial.change == "as named" else f", {gain} points"
        console.print(
            f"{trial.change}: TAR {100 * trial.tar:.1f} % at FAR {result.trial_far:g} on a sample{beside}"
        )
    for far, distance in spec.distances.items():
        console.print(f"FAR {far}: {'not supported' if distance is None else f'distance {distance:.3f}'}")
    console.print(f"calibrated on {spec.calibration}")
