"""`facespace train`: from pictures to a run folder. torch is loaded when the work begins, since it is optional."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli.console import data_folder, say, show, show_json
from facespace.cli.options import AsJson, Data, Device, On, Resume, RunFolder, Teacher
from facespace.cli.progress import progress
from facespace.embed import Embedder
from facespace.errors import MissingExtraError
from facespace.workers import open_workers

if TYPE_CHECKING:
    from facespace.training.health import Epoch


def train(
    recipe: Annotated[
        Path, typer.Argument(help="Recipe in TOML, such as recipes/smoke.toml.", show_default=False)
    ],
    output: RunFolder,
    data: Data = None,
    network: Annotated[
        str | None, typer.Option(help="Another network than the recipe's, such as nn4.", show_default=False)
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(help="A finished run folder to take the first weights from, of any picture size."),
    ] = None,
    resume: Resume = False,
    device: Device = "auto",
    teacher: Teacher = None,
    on: On = None,
    json: AsJson = False,
) -> None:
    """Train an embedder from a recipe.

    It trains on `DATA/faces/train`, unless the recipe names other pictures. Under torchrun each process embeds its
    share of a batch, and triplets are mined from the whole batch. --on sends the pictures to the machines of a cluster
    where a teacher embeds them; the same command after a stop asks for the rest.

    Example: facespace train recipes/smoke.toml --data DIR -o runs/smoke
    """
    need_torch()
    from facespace.training.loop import Trainer
    from facespace.training.material import open_material
    from facespace.training.networks import check_network
    from facespace.training.parallel import join
    from facespace.training.processor import keep_freed_memory
    from facespace.training.recipe import read_recipe

    keep_freed_memory()
    chosen = read_recipe(recipe).taught_by(teacher).of_network(network)
    check_network(chosen.network)
    device, world = join(device, os.environ)
    say("reading pictures")
    # One process asks.
    with (
        open_workers(on if world.first else None) as workers,
        progress("embedding by the teacher") as on_asked,
    ):
        material = open_material(
            chosen, data_folder(data), output, open_model=Embedder, on_asked=on_asked, workers=workers
        )
    trainer = Trainer(chosen, material, output, init=init, resume=resume, device=device)
    with progress("training") as on_step:
        epochs = trainer.run(
            on_step=lambda step, n_steps, _: on_step(step, n_steps),
            on_epoch=lambda e: say(e.line()) if world.first else None,
        )
    show_trained(epochs, output, json=json)


def show_trained(epochs: "list[Epoch]", run: Path, *, json: bool) -> None:
    """What a finished run prints."""
    if json:
        show_json(epochs)
    else:
        show(f"done. To make it a model: facespace models export {run} -o model.onnx --data DIR")


def need_torch() -> None:
    """Fail before the work.

    Raises:
        MissingExtraError: torch is not installed.
    """
    if find_spec("torch") is None:
        raise MissingExtraError("training", "train")
