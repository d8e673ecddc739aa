"""A newer model against an older one that it was trained to meet (paper, appendix and Figure 8)."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from facespace.embed import Embedder
from facespace.errors import MissingExtraError
from facespace.measure.context import Context
from facespace.measure.experiment import Option, experiment
from facespace.measure.paper import holdout_differs
from facespace.measure.result import (
    MEASURED,
    Block,
    Cell,
    Column,
    Plot,
    Result,
    Series,
    Table,
    mean_se,
    not_run,
    percent,
    plain,
    spread,
)
from facespace.measure.runs import RunModel, open_run_model
from facespace.measure.versions import HarmonicFigures, RowMap, Versions, evaluate_harmonic

WAYS = {
    "v1-v1": "the older version alone",
    "v2-v1": "mixed: newer probe, older gallery",
    "v2-v2": "the newer version, harmonic",
    "alone-alone": "the newer network without regard to v1",
    "alone-v1": "that against the older version",
    "alone-rotation(v1)": "that against v1 turned towards it (rotation)",
    "alone-linear(v1)": "that against v1 mapped to it (linear)",
    "alone-mlp(v1)": "that against v1 mapped to it (small network)",
}

REMEDY = (
    "facespace harmonise --old v1.onnx --init RUNS/ALONE --data DIR -o RUNS/NAME, then "
    "facespace measure report --runs RUNS; or facespace measure report --model v2.onnx --old v1.onnx"
)
NOT_TRAINED = not_run(
    "Needs an older model that the model was made to meet, or a run that was; neither was given.",
    remedy=REMEDY,
)
BUDGET = (
    "The versions were trained for minutes to hours on a few tens of thousands of faces: they fit the training people "
    "far better than others, and what v2 learns to meet there is more than what v1 shows of new people."
)


@experiment(
    "ROC of the newer model alone above newer against older, and that above the older model alone (Figure 8).",
    needs=("data", "workers"),
    example="--old v1.onnx --new v2.onnx --alone v2-alone.onnx --data DIR",
)
def harmonic(
    context: Context,
    *,
    old: Annotated[str, Option("The older model, by name or file.")],
    new: Annotated[str, Option("The newer model, likewise.")],
    alone: Annotated[
        str | None,
        Option(
            "The newer network trained alone: the price, and where maps of the older model are fitted to."
        ),
    ] = None,
    other: Annotated[
        tuple[str, ...],
        Option("Another newer model, such as one distilled onto the older; may be repeated."),
    ] = (),
) -> Result:
    """TAR of a newer model, of an older one, between the two, and of other ways to compare them."""
    others = {Path(name).stem: Embedder(name) for name in other}
    models = Versions(Embedder(old), Embedder(new), Embedder(alone) if alone else None, others)
    figures = compare_versions(models, context)
    title = f"{models.new.spec.label} against {models.old.spec.label}"
    return Result(
        MEASURED, summary(title, figures), comparison(title, figures), (holdout_differs(context),),
        figures=plain(figures),
    )  # fmt: skip


@experiment(
    "ROC of the newer model alone above newer against older, and that above the older model alone.",
    needs=("data", "model", "old", "runs", "workers"),
    example="--data DIR --old v1.onnx --runs RUNS",
    report={},
)
def figure8(context: Context) -> Result:
    """ROC and table of the model against each older one, and of each harmonic run below --runs."""
    measured = {title: compare_versions(models, context) for title, models in find_versions(context).items()}
    if not measured:
        return NOT_TRAINED
    blocks: list[Block] = [b for title, figures in measured.items() for b in comparison(title, figures)]
    return Result(
        MEASURED,
        " ".join(summary(title, figures) for title, figures in measured.items()),
        tuple(blocks),
        (BUDGET, holdout_differs(context)),
        figures={"pairs": plain(measured)},
    )


def compare_versions(models: Versions[Embedder], context: Context) -> HarmonicFigures:
    """Compare the versions on the validation faces, with maps fitted on training faces.

    Args:
        models: by which the faces are embedded.
        context: has the faces; those of its training faces serve the maps from the older model to the newer alone.

    Raises:
        MissingExtraError: maps have to be fitted, and there is no torch.
        DataError: pictures are missing.
        InputError: embeddings of different dimensions.
    """
    maps, fitted_on = _fit_maps(models, context) if models.alone else ({}, 0)
    versions = models.by(lambda model: context.embedded(context.holdout, model))
    return evaluate_harmonic(versions, maps=maps, fitted_on=fitted_on)


def find_versions(context: Context) -> dict[str, Versions[Embedder]]:
    """The context's model with each older one, then each harmonic run whose older model is still where it was.

    They have a title for people. Beside a run's v1 and v2 stand v2's network alone, where its run is still there, and
    runs that were distilled onto v1.

    Raises:
        DataError, ModelError: a run or a model that cannot be read.
    """
    here = [(run, run.old) for run in context.harmonic_runs if run.old is not None and run.old.is_file()]
    found = {_title(context.embedder.spec.label, v1): Versions(v1, context.embedder) for v1 in context.older}
    for run, old in here:
        if _has_combinations(run):
            others = {r.name: Embedder(r.model) for r, o in here if o == old and not _has_combinations(r)}
            v1 = Embedder(old)
            found[_title(run.name, v1)] = Versions(v1, Embedder(run.model), _alone(run, context), others)
    return found


def _title(name: str, old: Embedder) -> str:
    return f"{name}, v1: {old.spec.label}"


def comparison(title: str, figures: HarmonicFigures) -> tuple[Plot, Table]:
    """ROC of the versions, and every comparison with its gap."""
    names = ("v2-v2", "v2-v1", "v1-v1", "alone-alone")
    known = [score for name in names for score in figures.scores if score.name == name]
    plot = Plot(
        f"{title}: VAL at each FAR over all pairs of faces/val.", "FAR", "VAL",
        tuple(Series(score.name, score.curve_far, score.curve_tar) for score in known),
        x_log=True, x_limits=(1e-5, 1.0), y_limits=(0.0, 1.0),
    )  # fmt: skip
    return plot, _table(title, figures)


def summary(title: str, figures: HarmonicFigures) -> str:
    """The order of Figure 8, its gaps and the price, in a sentence."""
    new, mixed, old = (figures.score(name) for name in ("v2-v2", "v2-v1", "v1-v1"))
    gaps = [mean_se(gap.mean, gap.se) for gap in figures.gaps]
    has_price = bool(figures.gaps[2:]) and figures.gaps[2].lower == "v2-v2"
    price = f"; the price against the network alone is {gaps[2]}" if has_price else ""
    order = (
        "in the paper's order" if figures.in_order else "not in the paper's order with gaps above their errors"
    )  # fmt: skip
    return (
        f"{title}: VAL at FAR 1e-3 {percent(new.mean)} for v2-v2, {percent(mixed.mean)} for v2-v1, "
        f"{percent(old.mean)} for v1-v1, {order} (gaps {gaps[0]}, {gaps[1]}){price}."
    )


def _fit_maps(models: Versions[Embedder], context: Context) -> tuple[dict[str, RowMap], int]:
    if find_spec("torch") is None:
        raise MissingExtraError("fitting maps", "train")
    from facespace.training.maps import fit_maps

    train = context.training_faces
    return fit_maps(context.rows(train, models.old), context.rows(train, models.alone)), len(train.paths)


def _table(title: str, figures: HarmonicFigures) -> Table:
    columns = (
        Column("compared"), Column("what"), Column("VAL, all pairs", "percent"), Column("VAL, splits", "percent"),
        Column("distance at FAR 1e-3", "distance"), Column("v2-v1 less this, paired", "percent"),
    )  # fmt: skip
    gaps = {gap.lower: spread(gap.mean, gap.se) for gap in figures.gaps if gap.higher == "v2-v1"}
    rows: list[tuple[Cell, ...]] = [
        (
            score.name, WAYS.get(score.name, "distilled onto v1"), score.tar["1e-3"], spread(score.mean, score.se),
            score.threshold["1e-3"], gaps.get(score.name),
        )
        for score in figures.scores
    ]  # fmt: skip
    maps = f"; maps fitted on {figures.fitted_on:,} faces of faces/train" if figures.fitted_on else ""
    caption = f"{title}: VAL at FAR 1e-3 on faces/val; {figures.n_splits} splits of the identities{maps}."
    return Table(caption, columns, tuple(rows))


def _has_combinations(run: RunModel) -> bool:
    """Whether the run made harmonic triplets; one without only learned from a teacher, such as v1 itself."""
    return bool(run.recipe["harmonic"].get("combinations"))


def _alone(run: RunModel, context: Context) -> Embedder | None:
    """The run that v2 began with: before its first stage, and before any harmonic run that it continued from."""
    recipe = run.recipe
    while recipe.get("harmonic", {}).get("old"):
        folder = Path(str(recipe.get("init", "")))
        if not (folder / "recipe.json").is_file():
            return None
        recipe = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    alone = open_run_model(folder, context.work / "models")
    return None if alone is None else Embedder(alone.model)
