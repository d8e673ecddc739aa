"""Sweeps whose points must be trained first: run by `facespace evaluate sweep`, and read by the report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from facespace.embed import Embedder
from facespace.errors import InputError, MissingExtraError
from facespace.evaluate.sweeps import HoldoutMaterial, Sweep, SweepPoint, embed_views
from facespace.evaluate.sweeps.degrade import Resize
from facespace.evaluate.sweeps.views import AS_IT_IS, View
from facespace.reproduce.runs import RunModel, find_runs

if TYPE_CHECKING:
    from facespace.training.recipe import Recipe
    from facespace.training.sweeps import Variant

__all__ = [
    "TRAINED_SWEEPS",
    "TrainedSweep",
    "finished_runs",
    "measure_runs",
    "read_recipe_file",
    "runs_of_sweep",
    "train_sweep",
]

SMALL_SIDES_PX = (40, 80)


@dataclass(frozen=True)
class TrainedSweep:
    """A sweep over training runs.

    Attributes:
        varied: what varies.
        patterns: names of its run folders.
    """

    varied: str
    patterns: tuple[str, ...]


TRAINED_SWEEPS = {
    "dimension": TrainedSweep("components of the embedding", ("base", "dim-*")),
    "images": TrainedSweep("training images", ("base", "images-*")),
    "resolution": TrainedSweep("low-resolution faces in training", ("base", "no-low-resolution")),
}


def train_sweep(
    name: str,
    data: Path,
    out: Path,
    *,
    budget: int,
    recipe: "Recipe | None" = None,
    device: str = "cpu",
    on_step: Callable[[int, int], None] | None = None,
) -> None:
    """Train what the sweep needs and is not trained yet, into run folders below ``out``.

    Args:
        name: "dimension", "images" or "resolution".
        data: the recipe's paths are below it.
        out: folder of run folders; several sweeps share one, and with it the run that they have in common.
        budget: faces that each run sees, repeated ones counted each time.
        recipe: what to vary; `facespace.training.sweeps.SWEEP_RECIPE` when absent. Its length gives way to the budget.
        device: torch's name of it.
        on_step: called with (steps done, steps in all).

    Raises:
        InputError: no such sweep, or too small a budget.
        MissingExtraError: torch is not installed.
        DataError: pictures are missing, or a run folder holds a run of another recipe or budget.
    """
    _need_torch()
    from facespace.training.processor import keep_freed_memory
    from facespace.training.sweeps import SWEEP_RECIPE, train_variants, with_budget

    keep_freed_memory()
    variants = _variants(name, with_budget(recipe or SWEEP_RECIPE, budget), data)
    train_variants(variants, data, out, device=device, on_step=on_step)


def measure_runs(
    name: str,
    runs: Sequence[RunModel],
    material: HoldoutMaterial,
    *,
    workers: int | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> Sweep:
    """What the runs of a sweep reach on a hold-out set; for "resolution" also on small pictures.

    Raises:
        InputError: runs of different budgets, which may not stand in one table.
    """
    budgets = {_length(run) for run in runs}
    if len(budgets) > 1:
        raise InputError(
            f"{name}: expected runs of one budget, got {', '.join(sorted(budgets))}; use one folder for each"
        )
    sides = SMALL_SIDES_PX if name == "resolution" else ()
    views = [AS_IT_IS, *(View(Resize(side)) for side in sides)]
    points, n = [], len(material.paths)
    for i, run in enumerate(sorted(runs, key=lambda run: _value(name, run))):
        follow = (lambda done, _, i=i: on_photo(i * n + done, len(runs) * n)) if on_photo else None
        embedded = embed_views(material, Embedder(run.model), views, workers=workers, on_photo=follow)
        for side, rows in zip((None, *sides), embedded, strict=True):
            where = f", faces of {side} px" if side else ""
            points.append(
                SweepPoint(
                    _text(name, run) + where,
                    _value(name, run),
                    material.score(rows),
                    side or 0,
                    note=_group(run),
                )
            )
    notes = (
        (
            f"each run: {', '.join(budgets)}",
            f"network {runs[0].network} at {runs[0].recipe.get('input_px')} px",
        )
        if runs
        else ()
    )
    return Sweep(
        TRAINED_SWEEPS[name].varied, "one run each", material.name, *material.n_pairs, tuple(points), notes
    )


def finished_runs(name: str, folder: Path, exported: Path) -> list[RunModel]:
    """The finished runs of a sweep below ``folder``; their ONNX files go to ``exported``.

    Raises:
        DataError: no such folder, or a recipe that cannot be read.
    """
    return runs_of_sweep(name, find_runs(folder, exported))


def runs_of_sweep(name: str, runs: Sequence[RunModel]) -> list[RunModel]:
    """Those of ``runs`` that belong to a sweep."""
    patterns = TRAINED_SWEEPS[name].patterns
    return [run for run in runs if any(fnmatch(run.name, pattern) for pattern in patterns)]


def read_recipe_file(path: Path) -> "Recipe":
    """A recipe to vary.

    Raises:
        MissingExtraError: torch is not installed.
        DataError: no such file, or no recipe.
    """
    _need_torch()
    from facespace.training.recipe import read_recipe

    return read_recipe(path)


def _variants(name: str, recipe: "Recipe", data: Path) -> "list[Variant]":
    from facespace.training.data import find_pictures
    from facespace.training.sweeps import dimension_variants, image_variants, low_resolution_variants

    if name == "dimension":
        return dimension_variants(recipe)
    if name == "images":
        return image_variants(recipe, find_pictures(data / recipe.data.train))
    if name == "resolution":
        return low_resolution_variants(recipe)
    raise InputError(f"sweep: expected one of {', '.join(TRAINED_SWEEPS)}, got '{name}'")


def _value(name: str, run: RunModel) -> float:
    if name == "dimension":
        return float(run.recipe["dim"])
    if name == "images":
        return float(run.recipe["n_faces"])
    return float(run.recipe["augmentation"]["low_resolution"])


def _text(name: str, run: RunModel) -> str:
    if name == "dimension":
        return f"{run.recipe['dim']} components"
    if name == "images":
        return f"{run.recipe['n_faces']:,} images of {run.recipe['n_identities']:,} people"
    share = run.recipe["augmentation"]["low_resolution"]
    return f"{100 * share:.0f} % low-resolution faces" if share else "no low-resolution faces"


def _group(run: RunModel) -> str:
    for group in ("by-image", "by-identity"):
        if group in run.name:
            return group.replace("-", " ")
    return ""


def _length(run: RunModel) -> str:
    steps, batch = run.recipe["epochs"] * run.recipe["epoch_steps"], run.recipe["batches"]["batch_size"]
    return f"{steps:,} steps of {batch} faces"


def _need_torch() -> None:
    from importlib.util import find_spec

    if find_spec("torch") is None:
        raise MissingExtraError("training a sweep", "train")
