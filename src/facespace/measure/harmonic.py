"""An older model and a newer one trained to meet it: which models are compared, and how the comparison is shown."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from facespace.embed import Embedder
from facespace.errors import MissingExtraError
from facespace.measure.context import Context
from facespace.measure.faces import EmbeddedFaces
from facespace.measure.holdout import N_SPLITS
from facespace.measure.result import Cell, Column, Plot, Series, Table, mean_se, percent
from facespace.measure.runs import RunModel, open_run_model
from facespace.measure.versions import HarmonicFigures, RowMap, Versions, evaluate_harmonic

__all__ = ["HarmonicPair", "ModelVersions", "compare_versions", "comparison", "find_pairs", "summary"]

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


@dataclass(frozen=True)
class ModelVersions:
    """An older model, a newer one trained to meet it, the same network alone, and further newer ones by name."""

    old: Embedder
    new: Embedder
    alone: Embedder | None = None
    others: Mapping[str, Embedder] = field(default_factory=dict)


@dataclass(frozen=True)
class HarmonicPair:
    """A harmonic run and what it is compared with."""

    run: RunModel  # of v2
    # v1, v2, v2's network alone where its run is still there, and runs that were distilled onto v1
    models: ModelVersions

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.run.name} (v1: {self.models.old.spec.name} {self.models.old.spec.version})"


def compare_versions(
    models: ModelVersions, context: Context, *, fit_on: int = 10_000, n_splits: int = N_SPLITS
) -> HarmonicFigures:
    """Compare the versions on the validation faces, with maps fitted on training faces.

    Args:
        models: by which the faces are embedded.
        context: has the faces.
        fit_on: training faces for the maps from the older model to the newer network alone; 0 for no maps.
        n_splits: disjoint splits of the identities.

    Raises:
        MissingExtraError: maps are asked for, and there is no torch.
        DataError: pictures are missing.
        InputError: embeddings of different dimensions.
    """

    def faces(model: Embedder) -> EmbeddedFaces:
        return context.embedded(context.holdout, model)

    maps, fitted_on = _fit_maps(models, context, fit_on) if models.alone and fit_on else ({}, 0)
    versions = Versions(
        faces(models.old),
        faces(models.new),
        faces(models.alone) if models.alone else None,
        {name: faces(model) for name, model in models.others.items()},
    )
    return evaluate_harmonic(versions, maps=maps, fitted_on=fitted_on, n_splits=n_splits)


def find_pairs(context: Context) -> list[HarmonicPair]:
    """Each harmonic run whose older model is still where it was; runs distilled onto one stand beside the others of it.

    Raises:
        DataError, ModelError: a run or a model that cannot be read.
    """
    here = [(run, run.old) for run in context.harmonic_runs if run.old is not None and run.old.is_file()]
    pairs = []
    for run, old in here:
        if _has_combinations(run):
            others = {r.name: Embedder(r.model) for r, o in here if o == old and not _has_combinations(r)}
            models = ModelVersions(Embedder(old), Embedder(run.model), _alone(run, context), others)
            pairs.append(HarmonicPair(run, models))
    return pairs


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


def _fit_maps(models: ModelVersions, context: Context, fit_on: int) -> tuple[dict[str, RowMap], int]:
    if find_spec("torch") is None:
        raise MissingExtraError("fitting maps", "train")
    from facespace.training.maps import fit_maps

    train = context.training_faces.every(fit_on)
    return fit_maps(context.rows(train, models.old), context.rows(train, models.alone)), len(train.paths)


def _table(title: str, figures: HarmonicFigures) -> Table:
    columns = (
        Column("compared"), Column("what"), Column("VAL, all pairs", "percent"), Column("VAL, splits", "percent"),
        Column("distance at FAR 1e-3", "distance"), Column("v2-v1 less this, paired", "percent"),
    )  # fmt: skip
    gaps = {gap.lower: (gap.mean, gap.se) for gap in figures.gaps if gap.higher == "v2-v1"}
    rows: list[tuple[Cell, ...]] = []
    for score in figures.scores:
        mean, se = gaps.get(score.name, (None, None))
        rows.append((
            score.name, WAYS.get(score.name, "distilled onto v1"), score.tar["1e-3"],
            None if score.mean is None else (score.mean, score.se), score.threshold["1e-3"],
            None if mean is None else (mean, se),
        ))  # fmt: skip
    maps = f"; maps fitted on {figures.fitted_on:,} faces of faces/train" if figures.fitted_on else ""
    return Table(
        f"{title}: VAL at FAR 1e-3 on faces/val; {figures.n_splits} splits of the identities{maps}.",
        columns,
        tuple(rows),
    )


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
