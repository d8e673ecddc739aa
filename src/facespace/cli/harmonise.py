"""`facespace harmonise`: train a newer model that is compatible with an older one."""

import os
from pathlib import Path
from typing import Annotated

import typer

from facespace.cli.console import data_folder, say
from facespace.cli.options import AsJson, Data, Device, On, Resume, RunFolder, Teacher
from facespace.cli.progress import progress
from facespace.cli.train import need_torch, show_trained
from facespace.embed import Embedder
from facespace.workers import open_workers


def harmonise(
    old: Annotated[
        Path, typer.Option(help="The older model: any ONNX embedder with a ModelSpec.", show_default=False)
    ],
    init: Annotated[
        Path,
        typer.Option(
            help="A finished run that was trained independently, to start from.", show_default=False
        ),
    ],
    output: RunFolder,
    recipe: Annotated[
        Path | None,
        typer.Argument(
            help="Recipe in TOML. Default: what suits the run given by --init.", show_default=False
        ),
    ] = None,
    data: Data = None,
    resume: Resume = False,
    device: Device = "auto",
    teacher: Teacher = None,
    on: On = None,
    json: AsJson = False,
) -> None:
    """Train a newer model that is compatible with an older one.

    This is the paper's harmonic embedding (appendix): the embedding layer starts from random weights and is trained
    alone, then the whole network. `facespace models export` writes the compatible model and the distances between the
    two. --on sends the pictures to the machines of a cluster, where the older model and a teacher embed them.

    Example: facespace harmonise --old v1.onnx --init runs/s --data DIR -o runs/s-harmonic
    """
    need_torch()
    from facespace.training.harmonise import harmonise as train_harmonic
    from facespace.training.harmonise import resolve
    from facespace.training.parallel import join
    from facespace.training.processor import keep_freed_memory

    keep_freed_memory()
    chosen = resolve(recipe, init=init, old=old, dim=Embedder(old).spec.dim, teacher=teacher)
    device, world = join(device, os.environ)
    say("reading pictures")
    with progress("embedding by the older model") as on_asked, progress("training") as on_step:
        epochs = train_harmonic(
            chosen, data_folder(data), output, init=init, open_model=Embedder, resume=resume, device=device,
            workers=lambda: open_workers(on if world.first else None),  # one process asks
            on_asked=on_asked, on_step=lambda step, n_steps, _: on_step(step, n_steps),
            on_epoch=lambda e: say(e.line()) if world.first else None,
        )  # fmt: skip
    show_trained(epochs, output, json=json)
