"""Runs that differ in one thing: embedding dimension (paper, Table 5), training images (Table 6), low resolution.

Every run of a sweep takes the same number of steps, batches of the same size, and the same seed. The default recipe
is small, a plain residual network at 56 px, so that minutes mean something; what it reaches says how a thing matters
under that budget and nothing about the paper's 700 hours.
"""

import csv
import dataclasses
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError, InputError
from facespace.saved_files import write_beside
from facespace.training.data import find_pictures
from facespace.training.data.pictures import Pictures
from facespace.training.loop import OnStep, Trainer
from facespace.training.material import open_material
from facespace.training.recipe import Batches, Data, Mining, Optimiser, Recipe, recipe_of
from facespace.training.run_folder import read_facts

DIMENSIONS = (64, 128, 256, 512)
SHARES = (0.125, 0.25, 0.5, 1.0)
BASE = "base"
N_EPOCHS = 4

# facespace-s' recipe on a quarter of the pixels.
SWEEP_RECIPE = Recipe(
    name="sweep",
    network="plain-residual",
    input_px=56,
    data=Data(validation=""),
    batches=Batches(batch_size=128, faces_per_identity=6),
    mining=Mining(negatives_per_pair=2, choice="nearest"),
    optimiser=Optimiser(learning_rate=1.5e-3, weight_decay=5e-4, decay=0.45),
)


@dataclass(frozen=True)
class Variant:
    """One run of a sweep.

    Attributes:
        name: of its run folder; equal variants of several sweeps share one.
        recipe: with the budget in it.
        kept: indices of the training pictures, or None for all.
    """

    name: str
    recipe: Recipe
    kept: NDArray[np.int64] | None = None


def with_budget(recipe: Recipe, n_faces: int) -> Recipe:
    """The recipe made so long that it sees ``n_faces`` faces, repeated ones counted each time.

    Raises:
        InputError: a budget of less than one batch an epoch.
    """
    steps = n_faces // (recipe.batches.batch_size * N_EPOCHS)
    if steps < 1:
        raise InputError(
            f"budget: expected {recipe.batches.batch_size * N_EPOCHS} faces or more, one batch in each of "
            f"{N_EPOCHS} epochs, got {n_faces}"
        )
    return dataclasses.replace(recipe, epochs=N_EPOCHS, epoch_steps=steps)


def dimension_variants(recipe: Recipe) -> list[Variant]:
    """One run for each number of components."""
    return [
        Variant(BASE if dim == recipe.dim else f"dim-{dim}", dataclasses.replace(recipe, dim=dim))
        for dim in DIMENSIONS
    ]


def image_variants(recipe: Recipe, pictures: Pictures, shares: Sequence[float] = SHARES) -> list[Variant]:
    """Fewer training images, in two ways: fewer of everyone ("by image"), or everything of fewer ("by identity").

    Smaller sets lie within larger ones; which pictures come first is decided by a hash of their names.
    """
    n = len(pictures)
    by_image = np.argsort([_hash(name) for name in pictures.names])
    whose = np.array([_hash(name) for name in pictures.identities])
    by_identity = np.lexsort((np.arange(n), whose[pictures.labels]))
    variants = {}
    for way, order in (("by-image", by_image), ("by-identity", by_identity)):
        for share in shares:
            kept = np.sort(order[: round(share * n)])
            name = f"images-{way}-{len(kept)}" if len(kept) < n else BASE
            variants[name] = Variant(name, recipe, kept if len(kept) < n else None)
    return list(variants.values())


def low_resolution_variants(recipe: Recipe) -> list[Variant]:
    """With the recipe's share of low-resolution faces among the training faces, and without any."""
    without = dataclasses.replace(recipe.augmentation, low_resolution=0.0)
    return [
        Variant(BASE, recipe),
        Variant("no-low-resolution", dataclasses.replace(recipe, augmentation=without)),
    ]


def train_variants(
    variants: Sequence[Variant],
    data: Path,
    out: Path,
    *,
    device: str = "cpu",
    on_step: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Train what is not trained yet; returns the run folders, `out/<name>`, in order.

    Args:
        variants: what to train.
        data: the recipe's paths are below it.
        out: folder of the run folders; runs that were stopped go on.
        device: torch's name of it.
        on_step: called with (steps done, steps in all).

    Raises:
        DataError: pictures are missing, or a run folder holds a run of another recipe or budget.
        TrainingError: a run does not learn.
    """
    lengths = [v.recipe.epochs * v.recipe.epoch_steps for v in variants]
    for i, variant in enumerate(variants):
        _train(variant, data, out / variant.name, device, _follow(on_step, sum(lengths[:i]), sum(lengths)))
    return [out / variant.name for variant in variants]


def _follow(on_step: Callable[[int, int], None] | None, before: int, total: int) -> OnStep | None:
    return (lambda step, *_: on_step(before + step, total)) if on_step else None


def _train(variant: Variant, data: Path, run: Path, device: str, on_step: OnStep | None) -> None:
    recipe = _resolved(variant, data, run)
    _check_same(run, recipe)
    if (run / "model.pt").is_file():
        return
    resume = (run / "checkpoint.pt").is_file()
    Trainer(recipe, open_material(recipe, data, run), run, resume=resume, device=device).run(on_step=on_step)


def _resolved(variant: Variant, data: Path, run: Path) -> Recipe:
    """The recipe on its own list of pictures where it takes not all of them."""
    recipe = dataclasses.replace(variant.recipe, name=f"sweep-{variant.name}")
    if variant.kept is None:
        return recipe
    root = (data / recipe.data.train).resolve()
    pictures, file = find_pictures(root), io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for i in variant.kept:
        writer.writerow([str(root / pictures.names[i]), pictures.identities[pictures.labels[i]]])
    write_beside(run / "faces.csv", file.getvalue().encode())
    return dataclasses.replace(
        recipe, data=dataclasses.replace(recipe.data, train=str((run / "faces.csv").resolve()))
    )


def _check_same(run: Path, recipe: Recipe) -> None:
    """A run folder holds one recipe."""
    if not (run / "recipe.json").is_file():
        return
    names = [field.name for field in dataclasses.fields(Recipe)]
    # What a run's recipe does not know came later, and was as it is by default.
    written = recipe_of({k: v for k, v in read_facts(run).items() if k in names}, str(run / "recipe.json"))
    if differing := [name for name in names if getattr(written, name) != getattr(recipe, name)]:
        raise DataError(
            f"{run}: holds a run of another recipe or budget ({', '.join(differing)} differ); name another folder"
        )


def _hash(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16)
