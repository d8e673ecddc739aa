"""Sweeps whose points are trained first: dimension (paper, Table 5), images (Table 6), low-resolution faces."""

from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from facespace.embed import Embedder
from facespace.errors import InputError, MissingExtraError
from facespace.measure.context import Context
from facespace.measure.experiment import experiment
from facespace.measure.paper import DIMENSION_TAR, IMAGES_TAR, holdout_differs
from facespace.measure.result import (
    MEASURED,
    Block,
    Cell,
    Column,
    Plot,
    Result,
    Series,
    Table,
    not_run,
    percent,
    plain,
)
from facespace.measure.runs import RunModel
from facespace.measure.sweep import Point, Score, val_target
from facespace.measure.views import AS_IT_IS, Resize, View

if TYPE_CHECKING:
    from facespace.training.recipe import Recipe
    from facespace.training.sweeps import Variant

BUDGET = (
    "Each run is short and its network small (see the budget under the table), against 700 hours of NN1 or of a 96 px "
    "Inception in the paper: whether a difference shows at all depends on the budget, and a small one is within the "
    "standard error."
)
SMALL_SIDES_PX = (40, 80)
# Names of the run folders of each sweep; the run called "base" is part of all.
PATTERNS = {"table5": "dim-*", "table6": "images-*", "resolution": "no-low-resolution"}

_experiment = partial(
    experiment,
    needs=("data", "runs", "quick", "budget", "device", "workers"),
    example="--data DIR --runs RUNS --budget 200000",
    report={},
)


def _sweep(
    name: str, context: Context, show: Callable[[list[Point]], tuple[Block, ...]], note: str = ""
) -> Result:
    """Train what is missing, and measure what there is."""
    if not context.setup.quick:
        _train(name, context)
    runs = runs_of_sweep(name, context.sweep_runs)
    if len(runs) < 2:
        command = (
            f"facespace measure report --only {name} --data DIR --runs RUNS --budget {context.setup.budget}"
        )
        return not_run(
            "The runs of this sweep have to be trained first; a quick run does not.", remedy=command
        )
    points = measure_runs(name, runs, context)
    best, worst = (choose(points, key=lambda p: _score(p).tar or 0.0) for choose in (max, min))
    return Result(
        MEASURED,
        f"VAL at FAR 1e-3 from {percent(_score(worst).tar)} ({worst.setting}) to {percent(_score(best).tar)} "
        f"({best.setting}).",
        show(points),
        (BUDGET, f"Each run: {_length(runs[0])}; network {runs[0].network} at {runs[0].recipe.get('input_px')} px.",
         *([note] if note else []), holdout_differs(context)),
        figures={"points": plain(points)},
    )  # fmt: skip


@_experiment("VAL at FAR 1e-3 of NN1 with 64 to 512 components: none differs significantly from 128.")
def table5(context: Context) -> Result:
    """One network with embeddings of several dimensions, every run equally long."""
    note = "The paper finds no significant difference between 128 and 64, 256 or 512 components."
    return _sweep("table5", context, _show_dimension, note)


@_experiment(
    "VAL at FAR 1e-3 after 700 hours of a 96 px network on 2.6M to 260M images: tens of millions help, hundreds of "
    "millions little more."
)
def table6(context: Context) -> Result:
    """One network on part of the training faces, every run equally long."""
    note = "'By image' keeps fewer pictures of everyone, 'by identity' every picture of fewer people."
    return _sweep("table6", context, _show_images, note)


@_experiment(
    "The paper supposes that training with faces of lower resolution would improve results on small pictures; no "
    "number is given."
)
def resolution(context: Context) -> Result:
    """One network trained with and without faces of low resolution, seen at full and at low resolution."""
    return _sweep("resolution", context, _show_resolution)


def measure_runs(name: str, runs: Sequence[RunModel], context: Context) -> list[Point]:
    """What the runs of a sweep reach on the validation faces; for "resolution" also on small pictures.

    Raises:
        InputError: runs of different budgets, which may not stand in one table.
    """
    budgets = {_length(run) for run in runs}
    if len(budgets) > 1:
        raise InputError(
            f"{name}: expected runs of one budget, got {', '.join(sorted(budgets))}; use one folder for each"
        )
    sides = (None, *(SMALL_SIDES_PX if name == "resolution" else ()))
    views = [View(Resize(side)) if side else AS_IT_IS for side in sides]
    val, points = val_target(context), []
    for run in sorted(runs, key=lambda run: _value(name, run)):
        for side, rows in zip(sides, context.views(val.faces, views, Embedder(run.model)), strict=True):
            text = _text(name, run) + (f", faces of {side} px" if side else "")
            points.append(Point(text, _value(name, run), {val.name: val.score(rows)}, _group(run)))
    return points


def runs_of_sweep(name: str, runs: Sequence[RunModel]) -> list[RunModel]:
    """Those of ``runs`` that belong to a sweep."""
    return [run for run in runs if run.name == "base" or fnmatch(run.name, PATTERNS[name])]


def _train(name: str, context: Context) -> None:
    if find_spec("torch") is None:
        raise MissingExtraError("training a sweep", "train")
    from facespace.training.processor import keep_freed_memory
    from facespace.training.sweeps import SWEEP_RECIPE, train_variants, with_budget

    keep_freed_memory()
    variants = _variants(name, with_budget(SWEEP_RECIPE, context.setup.budget), context.data)
    train_variants(
        variants, context.data, context.sweeps_folder, device=context.setup.device, on_step=context.on_step
    )


def _variants(name: str, recipe: "Recipe", data: Path) -> "list[Variant]":
    from facespace.training.data import find_pictures
    from facespace.training.sweeps import dimension_variants, image_variants, low_resolution_variants

    if name == "table6":
        return image_variants(recipe, find_pictures(data / recipe.data.train))
    return dimension_variants(recipe) if name == "table5" else low_resolution_variants(recipe)


def _value(name: str, run: RunModel) -> float:
    if name == "resolution":
        return float(run.recipe["augmentation"]["low_resolution"])
    return float(run.recipe["dim" if name == "table5" else "n_faces"])


def _text(name: str, run: RunModel) -> str:
    if name == "table5":
        return f"{run.recipe['dim']} components"
    if name == "table6":
        return f"{run.recipe['n_faces']:,} images of {run.recipe['n_identities']:,} people"
    share = run.recipe["augmentation"]["low_resolution"]
    return f"{100 * share:.0f} % low-resolution faces" if share else "no low-resolution faces"


def _group(run: RunModel) -> str:
    return next((group.replace("-", " ") for group in ("by-image", "by-identity") if group in run.name), "")


def _length(run: RunModel) -> str:
    steps, batch = run.recipe["epochs"] * run.recipe["epoch_steps"], run.recipe["batches"]["batch_size"]
    return f"{steps:,} steps of {batch} faces"


def _score(point: Point) -> Score:
    return next(iter(point.scores.values()))


def _show_dimension(points: list[Point]) -> tuple[Block, ...]:
    rows: list[tuple[Cell, ...]] = [
        (int(p.value or 0), DIMENSION_TAR.get(int(p.value or 0)), _score(p).splits, _score(p).tar)
        for p in points
    ]
    columns = (
        Column("components", "count"), Column("paper: VAL", "percent", paper=True),
        Column("ours: VAL, five splits", "percent"), Column("ours: VAL, all pairs", "percent"),
    )  # fmt: skip
    return (Table("VAL at FAR 1e-3 on faces/val.", columns, tuple(rows)),)


def _show_images(points: list[Point]) -> tuple[Block, ...]:
    rows: list[tuple[Cell, ...]] = [(f"{n:,}", "", tar, None, None) for n, tar in IMAGES_TAR.items()]
    rows += [(p.setting, p.note or "all", None, _score(p).splits, _score(p).tar) for p in points]
    columns = (
        Column("training images"), Column("chosen"), Column("paper: VAL", "percent", paper=True),
        Column("ours: VAL, five splits", "percent"), Column("ours: VAL, all pairs", "percent"),
    )  # fmt: skip
    groups = ("by image", "by identity")
    curves = [Series(group, *_curve([p for p in points if p.note in (group, "")])) for group in groups]
    paper = Series("paper", tuple(float(n) for n in IMAGES_TAR), tuple(IMAGES_TAR.values()), paper=True)
    plot = Plot(
        "VAL by the number of training images, equal steps for each.", "training images", "VAL at FAR 1e-3",
        (paper, *curves), x_log=True, y_limits=(0.0, 1.0),
    )  # fmt: skip
    return Table("VAL at FAR 1e-3 on faces/val.", columns, tuple(rows)), plot


def _show_resolution(points: list[Point]) -> tuple[Block, ...]:
    columns = (
        Column("trained with, seen"), Column("VAL, five splits", "percent"), Column("VAL, all pairs", "percent")
    )  # fmt: skip
    rows = tuple((p.setting, _score(p).splits, _score(p).tar) for p in points)
    return (Table("VAL at FAR 1e-3 on faces/val.", columns, rows),)


def _curve(points: list[Point]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    known = sorted((float(p.value or 0), tar) for p in points if (tar := _score(p).tar) is not None)
    return tuple(x for x, _ in known), tuple(y for _, y in known)
