"""`facespace train`, and what `facespace export` does with a run: from pictures to a model file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli.console import console, data_folder, progress, say, show_json
from facespace.cli.holdout_faces import embed_val
from facespace.cli.options import AsJson, Data

if TYPE_CHECKING:
    from facespace.evaluate.holdout import HoldoutFaces
    from facespace.models import ModelSpec
    from facespace.training.health import Epoch

    Made = tuple[Path, ModelSpec, HoldoutFaces]  # a model file, its spec and the hold-out faces by it

__all__ = ["export_run", "need_torch", "show_spec", "show_trained", "train"]


def train(
    recipe: Annotated[
        Path, typer.Argument(help="Recipe in TOML, such as recipes/smoke.toml.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Run folder to make.")],
    data: Data = None,
    init: Annotated[
        Path | None,
        typer.Option(help="A finished run folder whose weights to begin with, of any picture size."),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or another name that torch knows.")] = "auto",
    teacher: Annotated[
        Path | None, typer.Option(help="ONNX file with a ModelSpec to distil from, in place of the recipe's.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Train an embedder as a recipe says, on `DATA/faces/train` unless it names other pictures.

    Under torchrun each process embeds its share of a batch and all mine the whole.

    Example: facespace train recipes/smoke.toml --data ../shared/data --out runs/smoke
    """
    need_torch()
    import os

    from facespace.embed import Embedder
    from facespace.training.parallel import join
    from facespace.training.processor import keep_freed_memory
    from facespace.training.recipe import read_recipe
    from facespace.training.start import open_run

    keep_freed_memory()
    chosen = read_recipe(recipe).taught_by(teacher)
    device, world = join(device, os.environ)
    say("reading pictures")
    with progress("asking the teacher") as on_lesson:
        trainer = open_run(
            chosen,
            data_folder(data),
            out,
            init=init,
            resume=resume,
            device=device,
            open_model=Embedder,
            on_lesson=on_lesson,
        )
    with progress("training") as on_step:
        epochs = trainer.run(
            on_step=lambda step, n_steps, _: on_step(step, n_steps),
            on_epoch=lambda e: say(e.line()) if world.first else None,
        )
    show_trained(epochs, out, json=json)


def export_run(
    run: Path,
    output: Path,
    *,
    int8: Path | None = None,
    old: Path | None = None,
    data: Path | None = None,
    training_data: str = "not stated",
    licence: str = "not stated",
) -> "list[ModelSpec]":
    """Make a run an ONNX file, and perhaps an int8 twin; returns their specs.

    The twin is made with the ranges of training pictures; its spec says what VAL it loses.
    """
    need_torch()
    from facespace.training.export import export_embedder, old_version_of

    root = data_folder(data)
    met = old_version_of(run, old)
    export_embedder(run, output, training_data=training_data, licence=licence)
    made = [_calibrated(output, data)]
    if int8 is not None:
        made.append(_twin(run, int8, root, original=made[0]))
    if met is not None:
        made = _compatible(made, met, data)
    return [spec for _, spec, _ in made]


def _calibrated(model: Path, data: Path | None) -> "Made":
    from facespace.evaluate.holdout import calibrate

    embedder, faces = embed_val(model, data)
    return model, calibrate(model, embedder.spec, faces, source="faces/val, all pairs"), faces


def _twin(run: Path, out: Path, root: Path, *, original: "Made") -> "Made":
    from facespace.evaluate.precision import calibrate_twin
    from facespace.training.int8 import export_int8, training_inputs

    model, spec, of_original = original
    export_int8(model, out, training_inputs(run, root))
    twin, faces = embed_val(out, root)
    source = "faces/val, all pairs"
    return (
        out,
        calibrate_twin(out, twin.spec, faces, original=spec, of_original=of_original, source=source),
        faces,
    )


def _compatible(made: "list[Made]", old: Path, data: Path | None) -> "list[Made]":
    """The models, with the distances at which each meets the older one in its spec."""
    from facespace.evaluate.compatibility import declare_compatible

    older, of_old = embed_val(old, data)
    return [
        (model, declare_compatible(model, spec, faces, other=older.spec, of_other=of_old), faces)
        for model, spec, faces in made
    ]


def show_spec(spec: "ModelSpec") -> None:
    """A model that was made, for people to read."""
    console.print(f"{spec.label}, {spec.options.get('precision', 'fp32')}")
    for far, distance in spec.distances.items():
        console.print(f"FAR {far}: {'not supported' if distance is None else f'distance {distance:.3f}'}")
    for sha256, distances in spec.compatible_with.items():
        known = [
            f"{distance:.3f} at FAR {far}" for far, distance in distances.items() if distance is not None
        ]
        console.print(f"compatible with {sha256[:8]}: distance {', '.join(known)}")
    if "tar_original" in spec.options:
        tar, original = (100 * spec.options[key] for key in ("tar", "tar_original"))
        console.print(f"VAL at FAR {spec.options['far']:g}: {tar:.2f} %, of the original {original:.2f} %")


def show_trained(epochs: "list[Epoch]", out: Path, *, json: bool) -> None:
    """What a finished run leaves to say."""
    if json:
        show_json(epochs)
    else:
        console.print(f"done; make it a model: facespace export {out} -o model.onnx --data DIR")


def need_torch() -> None:
    """Fail before the work.

    Raises:
        MissingExtraError: torch is not installed.
    """
    from importlib.util import find_spec

    from facespace.errors import MissingExtraError

    if find_spec("torch") is None:
        raise MissingExtraError("training", "train")
