"""A newer model against an older one that it was trained to meet (paper, appendix and Figure 8)."""

from dataclasses import dataclass
from pathlib import Path

from facespace.embed import Embedder
from facespace.measure.context import Context
from facespace.measure.experiment import Experiment, NoOptions, option
from facespace.measure.harmonic import (
    ModelVersions,
    compare_versions,
    comparison,
    find_pairs,
    summary,
)
from facespace.measure.holdout import N_SPLITS
from facespace.measure.paper import holdout_differs
from facespace.measure.result import MEASURED, Block, Result, not_run, plain

__all__ = ["FIGURE8", "HARMONIC", "NOT_TRAINED", "Options"]

REMEDY = (
    "facespace harmonise --old v1.onnx --init RUNS/ALONE --data DIR --out RUNS/NAME, then "
    "facespace measure report --runs RUNS"
)
NOT_TRAINED = not_run(
    "Needs a newer model that was trained to meet an older one; none was given.", remedy=REMEDY
)
BUDGET = (
    "Both versions were trained for minutes on a few tens of thousands of faces: v1 and v2 fit the training people far "
    "better than others, and what v2 learns to meet there is more than what v1 shows of new people."
)


@dataclass(frozen=True)
class Options:
    """Which models are compared."""

    old: str = option(help="The older model, by name or file.")
    new: str = option(help="The newer model, likewise.")
    alone: str | None = option(
        None, "The newer network trained alone: the price, and where maps of the older model are fitted to."
    )
    other: tuple[str, ...] = option(
        (), "Another newer model, such as one distilled onto the older; may be repeated."
    )
    fit_on: int = option(10_000, "Faces of DATA/faces/train to fit maps on.", min=0)
    splits: int = option(N_SPLITS, "Disjoint splits of the identities.", min=1)


def run_models(options: Options, context: Context) -> Result:
    """TAR of a newer model, of an older one, between the two, and of other ways to compare them."""
    models = ModelVersions(
        Embedder(options.old),
        Embedder(options.new),
        Embedder(options.alone) if options.alone else None,
        {Path(name).stem: Embedder(name) for name in options.other},
    )
    figures = compare_versions(models, context, fit_on=options.fit_on, n_splits=options.splits)
    title = f"{models.new.spec.label} against {models.old.spec.label}"
    return Result(
        MEASURED, summary(title, figures), comparison(title, figures), (holdout_differs(context),),
        figures=plain(figures),
    )  # fmt: skip


def run_runs(options: NoOptions, context: Context) -> Result:
    """ROC and table of each harmonic run below --runs."""
    pairs = find_pairs(context)
    if not pairs:
        return NOT_TRAINED
    measured = {pair.title: compare_versions(pair.models, context) for pair in pairs}
    blocks: list[Block] = [b for title, figures in measured.items() for b in comparison(title, figures)]
    return Result(
        MEASURED,
        " ".join(summary(title, figures) for title, figures in measured.items()),
        tuple(blocks),
        (BUDGET, holdout_differs(context)),
        figures={"pairs": plain(measured)},
    )


HARMONIC = Experiment(
    paper="ROC of the newer model alone above newer against older, and that above the older model alone (Figure 8).",
    run=run_models,
    needs=("data", "workers"),
    example="--old v1.onnx --new v2.onnx --alone v2-alone.onnx --data DIR",
)
FIGURE8 = Experiment(
    paper="ROC of the newer model alone above newer against older, and that above the older model alone.",
    run=run_runs,
    needs=("data", "runs", "workers"),
    example="--data DIR --runs RUNS",
    report={},
)
