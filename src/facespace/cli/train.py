"""`facespace train` and `facespace export`: from pictures to a model file."""

from pathlib import Path
from typing import Annotated

import typer

from facespace.cli.console import console, data_folder, progress, say, show_json
from facespace.cli.options import AsJson, Data

__all__ = ["export", "train"]


def train(
    recipe: Annotated[
        Path, typer.Argument(help="Recipe in TOML, such as recipes/facespace-s.toml.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Run folder to make.")],
    data: Data = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or another name that torch knows.")] = "auto",
    teacher: Annotated[
        Path | None, typer.Option(help="ONNX file with a ModelSpec to distil from, in place of the recipe's.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Train an embedder as a recipe says, on `DATA/faces/train` unless it names other pictures.

    Under torchrun each process embeds its share of a batch and all mine the whole.

    Example: facespace train recipes/facespace-s.toml --data ../shared/data --out runs/s
    """
    _need_torch()
    import dataclasses
    import os

    from facespace.embed import Embedder
    from facespace.training.memory import keep_freed_memory
    from facespace.training.parallel import join
    from facespace.training.recipe import read_recipe
    from facespace.training.start import open_run

    keep_freed_memory()
    chosen = read_recipe(recipe)
    if teacher is not None:
        chosen = dataclasses.replace(
            chosen, distillation=dataclasses.replace(chosen.distillation, teacher=str(teacher.resolve()))
        )
    device, world = join(device, os.environ)
    say("reading pictures")
    with progress("asking the teacher") as on_lesson:
        trainer = open_run(
            chosen,
            data_folder(data),
            out,
            resume=resume,
            device=device,
            open_teacher=Embedder,
            on_lesson=on_lesson,
        )
    with progress("training") as on_step:
        epochs = trainer.run(
            on_step=lambda step, n_steps, _: on_step(step, n_steps),
            on_epoch=lambda e: say(e.line()) if world.first else None,
        )
    if json:
        show_json(epochs)
    else:
        console.print(f"done; make it a model: facespace export {out} -o model.onnx --data DIR")


def export(
    run: Annotated[Path, typer.Argument(help="A finished run folder.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="ONNX file to write.")],
    data: Data = None,
    training_data: Annotated[
        str, typer.Option(help="What the weights saw, for the ModelSpec.")
    ] = "not stated",
    licence: Annotated[str, typer.Option(help="Licence of the weights, for the ModelSpec.")] = "not stated",
    json: AsJson = False,
) -> None:
    """Make a run an ONNX file, with thresholds calibrated on `DATA/faces/val`.

    Example: facespace export runs/s -o facespace-s.onnx --data ../shared/data
    """
    _need_torch()
    from facespace.embed import Embedder
    from facespace.evaluate.holdout import calibrate, embed_holdout
    from facespace.training.export import export_embedder

    root = data_folder(data) / "faces" / "val"
    spec = export_embedder(run, output, training_data=training_data, licence=licence)
    with progress("calibrating") as on_face:
        faces = embed_holdout(root, Embedder(output), on_face=on_face)
    spec = calibrate(output, spec, faces, source="faces/val, all pairs")
    if json:
        show_json(spec)
    else:
        console.print(f"{spec.label} in {output}")
        for far, distance in spec.distances.items():
            console.print(f"FAR {far}: {'not supported' if distance is None else f'distance {distance:.3f}'}")


def _need_torch() -> None:
    from importlib.util import find_spec

    from facespace.errors import MissingExtraError

    if find_spec("torch") is None:
        raise MissingExtraError("training", "train")
