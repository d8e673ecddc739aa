"""`facespace models import`: a foreign ONNX embedder becomes a model of facespace."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from facespace.cli.console import data_folder, say, show, show_json, warn
from facespace.cli.options import AsJson, Data, Licence, TrainingData
from facespace.cli.progress import progress
from facespace.errors import InputError
from facespace.measure.importing import ImportResult, import_embedder
from facespace.models import ModelSpec, user_models_folder
from facespace.models.foreign import ForeignInput, check_name, parse_scaling, read_foreign

QUESTIONS = {
    "input-px": "rows and columns of its input, in pixels",
    "layout": "order of its input's axes, NCHW or NHWC",
    "colour": "order of its input's channels, RGB or BGR",
    "scaling": "scaling of pixel values: MEAN/STD such as 127.5/127.5, 0/255 or 0/1, or per-image",
    "alignment": "how its faces are cut out: similarity (five landmarks on the template) or tight (the box)",
}


def import_model(
    file: Annotated[Path, typer.Argument(help="ONNX embedder.", show_default=False)],
    name: Annotated[
        str | None, typer.Option(help="Name of the model. Default: the file's name.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="ONNX file to write. Default: in your model folder, where it is found by name.",
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
        float,
        typer.Option(
            min=0.0, help="Of tight crops: what is added on each side, as a share of the box's side."
        ),
    ] = 0.0,
    layout: Annotated[
        str | None, typer.Option(help="NCHW or NHWC, if the file does not say.", show_default=False)
    ] = None,
    input_px: Annotated[
        int | None,
        typer.Option(
            min=16, help="Side of its input in pixels, if the file does not say.", show_default=False
        ),
    ] = None,
    output_name: Annotated[
        str | None, typer.Option(help="Which of several outputs is the embedding.", show_default=False)
    ] = None,
    holdout: Annotated[
        Path | None,
        typer.Option(help="Crops to calibrate on, <identity>/<image>. Default: DATA/faces/val."),
    ] = None,
    training_data: TrainingData = "not stated",
    licence: Licence = "not stated",
    data: Data = None,
    json: AsJson = False,
) -> None:
    """Import an ONNX embedder from elsewhere.

    Checks the file, calibrates its thresholds and writes its ModelSpec. What the file does not say is asked for on the
    terminal, or given by options. The preprocessing is compared with the usual alternatives, with a warning if another
    is clearly better. Afterwards every command takes the model by --model NAME.

    Example: facespace models import arcface.onnx --colour RGB --scaling 127.5/127.5 --alignment similarity --data DIR
    """
    faces = holdout or data_folder(data) / "faces" / "val"
    given = {
        "input-px": input_px,
        "layout": layout,
        "colour": colour,
        "scaling": scaling,
        "alignment": alignment,
    }
    facts = {
        "crop_margin": margin, "training_data": training_data, "licence": licence,
        "options": {"output": output_name} if output_name else {},
    }  # fmt: skip
    spec = _spec(check_name(name or file.stem), _answers(read_foreign(file), given), facts)
    target = output or user_models_folder() / f"{spec.name}.onnx"
    with progress("importing") as on_step:
        result = import_embedder(file, target, spec, holdout=faces, on_trial=on_step, on_face=on_step)
    for line in result.warnings:
        warn(line)
    show_json(result) if json else _show(result)
    say(f"use it with --model {target if output else spec.name}")


def _spec(name: str, answers: dict[str, Any], facts: dict[str, Any]) -> ModelSpec:
    px = int(answers["input-px"])
    return ModelSpec(
        name, "imported", "embedder", (px, px), input_layout=answers["layout"].upper(),
        colour=answers["colour"].upper(), alignment=answers["alignment"], dim=0, **facts,
        **parse_scaling(answers["scaling"]),  # type: ignore[arg-type]
    )  # fmt: skip


def _answers(declared: ForeignInput, given: dict[str, Any]) -> dict[str, Any]:
    """What the file says, else what was given, else what the terminal answers.

    Raises:
        InputError: something is not known and there is no terminal.
    """
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


def _show(result: ImportResult) -> None:
    spec = result.spec
    show(f"{spec.label}: {spec.dim} components, {spec.input_hw[0]}x{spec.input_hw[1]} px, in {result.path}")
    for trial in result.trials:
        gain = f"{100 * trial.gain:+.1f} ({100 * trial.gain_interval[0]:+.1f} to {100 * trial.gain_interval[1]:+.1f})"
        beside = "" if trial.change == "as named" else f", {gain} points"
        show(f"{trial.change}: TAR {100 * trial.tar:.1f} % at FAR {result.trial_far:g} on a sample{beside}")
    for far, distance in spec.distances.items():
        show(f"FAR {far}: {'not supported' if distance is None else f'distance {distance:.3f}'}")
    show(f"calibrated on {spec.calibration}")
