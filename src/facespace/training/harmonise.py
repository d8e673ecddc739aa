"""Train a newer version that meets an older one (paper, appendix), in two stages.

    RUN2/embedding   the init's network with a fresh embedding layer, and that layer trained alone
    RUN2             the whole network, from there

Each is a run folder like any other, and is resumed like any other.
"""

import dataclasses
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from facespace.errors import DataError
from facespace.training.health import Epoch
from facespace.training.loop import OnStep, Trainer
from facespace.training.material import OnAsked, OpenModel, open_material
from facespace.training.recipe import (
    Batches,
    Data,
    Distillation,
    EmbeddingStage,
    Optimiser,
    Recipe,
    read_recipe,
    recipe_of,
)
from facespace.training.run_folder import read_facts, read_model
from facespace.workers import Workers

FIRST_STAGE = "embedding"


def harmonise(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    init: Path,
    open_model: OpenModel,
    resume: bool = False,
    device: str = "cpu",
    workers: Callable[[], AbstractContextManager[Workers | None]] = nullcontext,
    on_asked: OnAsked = lambda done, total: None,
    on_step: OnStep | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Both stages, or what is left of them.

    Args:
        recipe: of the second stage, with `harmonic.old`; its `embedding_stage` says how the first differs.
        data: the recipe's paths are below it.
        out: the run folder.
        init: a finished run that was trained independently.
        open_model: makes an embedder of a model file.
        resume: continue where ``out`` stopped.
        device: torch's name of it.
        workers: opens the machines where the older model and a teacher embed the pictures, until training begins.
        on_asked: called with (done, total) as the older model embeds the faces.
        on_step: follows each stage, with (step, n_steps, loss).
        on_epoch: called after each epoch.

    Returns:
        The epochs of both stages that were run now.

    Raises:
        DataError: no older model, one of another dimension, offline mining, or pictures or run folders that are not
            as expected.
        TrainingError: a stage does not learn.
    """
    if not recipe.harmonic.old:
        raise DataError(
            "[harmonic] old: expected an older model to stay compatible with, got none; give --old"
        )
    if recipe.mining.every:
        raise DataError(
            f"[mining] every = {recipe.mining.every}: expected 0, a harmonic run mines each batch; leave it out"
        )
    read_model(init)  # before the work
    first = out / FIRST_STAGE
    with workers() as asked:
        material = open_material(recipe, data, out, open_model=open_model, on_asked=on_asked, workers=asked)
    stages = (
        [(first_stage(recipe), first), (recipe, out)] if recipe.embedding_stage.epochs else [(recipe, out)]
    )
    epochs: list[Epoch] = []
    for stage, folder in stages:
        if not (resume and folder == first and (first / "model.pt").is_file()):
            begun = resume and (folder / "checkpoint.pt").is_file()
            trainer = Trainer(stage, material, folder, init=init, resume=begun, device=device)
            epochs += trainer.run(on_step=on_step, on_epoch=on_epoch)
        init = folder
    return epochs


def resolve(recipe: Path | None, *, init: Path, old: Path, dim: int, teacher: Path | None = None) -> Recipe:
    """The recipe of a file, or the default one, with the models that were named in place of its own.

    Args:
        recipe: a file in TOML.
        init: a finished run, to which the default recipe is fitted.
        old: the older model's file.
        dim: components of its embeddings.
        teacher: a teacher's file.

    Raises:
        DataError: the recipe cannot be read, or ``init`` is no finished run.
    """
    chosen = read_recipe(recipe) if recipe else default_recipe(init, dim=dim)
    harmonic = dataclasses.replace(chosen.harmonic, old=str(old.resolve()))
    return dataclasses.replace(chosen, harmonic=harmonic).taught_by(teacher)


def first_stage(recipe: Recipe) -> Recipe:
    """The recipe of the first stage: the embedding layer alone, for its own time and at its own rate."""
    stage = recipe.embedding_stage
    optimiser = dataclasses.replace(recipe.optimiser, learning_rate=stage.learning_rate)
    return dataclasses.replace(recipe, only_embedding=True, epochs=stage.epochs, optimiser=optimiser)


def default_recipe(init: Path, *, dim: int) -> Recipe:
    """What `facespace harmonise` does without a recipe: the network and augmentation of the run to begin with.

    A teacher, where one is named, says how v2's faces lie to each other and not where: that is v1's business.

    Args:
        init: a finished run.
        dim: components of the older model's embeddings, which the newer one must have too.

    Raises:
        DataError: no finished run there.
    """
    facts, state = read_facts(init), read_model(init)
    kept = {name: facts[name] for name in ("network", "input_px", "alignment", "augmentation")}
    written: dict[str, Any] = {"name": f"{state['name']}-harmonic", **kept}
    return dataclasses.replace(
        recipe_of(written, str(init)),
        dim=dim,
        epochs=6,
        data=Data(dev_every=10),
        batches=Batches(batch_size=192, faces_per_identity=4, anchor_share=0.9),
        distillation=Distillation(vectors=0.0, relations=3.0),
        embedding_stage=EmbeddingStage(epochs=2, learning_rate=1e-2),
        optimiser=Optimiser(learning_rate=1.5e-3, weight_decay=0.02),
    )
