"""Labeled Faces in the Wild (paper, section 5.6): 1:1 accuracy over folds, on whole pictures."""

from pathlib import Path
from typing import Annotated, Literal

from facespace.embed import Embedder
from facespace.measure.context import Context
from facespace.measure.experiment import Option, experiment
from facespace.measure.groups import Groups, read_groups
from facespace.measure.pairs import Against, PairDistances, PairExtras, PairFigures, read_pairs, score_pairs
from facespace.measure.paper import LFW_CENTRE, LFW_DETECTOR, LFW_THRESHOLD, lfw_differs, training_differs
from facespace.measure.result import MEASURED, Cell, Column, Result, Table, mean_se, plain
from facespace.measure.views import View

MODES = {"centre": ("centre crop", LFW_CENTRE), "detector": ("detector's crop", LFW_DETECTOR)}
CENTRE_CROP = (
    "Centre crop: the paper cuts one square out of the middle; ours puts the usual place of the five landmarks onto "
    "the template, which is one fixed crop of all pictures as well."
)


@experiment(
    "98.87 ± 0.15 % with a fixed centre crop, 99.63 ± 0.09 % with the detector's; protocol 'unrestricted, "
    "labeled outside data', the threshold chosen on nine folds.",
    needs=("data", "model", "detector", "workers"),
    report={"mode": "both"},
)
def run(
    context: Context,
    *,
    mode: Annotated[
        Literal["detector", "centre", "both"],
        Option("'detector' (the crop of the face nearest the centre), 'centre' (one fixed crop) or 'both'."),
    ] = "detector",
    pairs: Annotated[Path | None, Option("Pairs file instead of DATA/lfw/pairs.txt.")] = None,
    flip: Annotated[bool, Option("Add the mirror image's embedding.")] = False,
    against: Against = None,
    groups: Groups = None,
) -> Result:
    """Accuracy over folds with the detector's crop, the centre crop, or both."""
    by_group = read_groups(groups) if groups else None
    modes = ("centre", "detector") if mode == "both" else (mode,)
    root = context.data / "lfw"
    listed = read_pairs(pairs or root / "pairs.txt")
    listed.check_folds(pairs or root / "pairs.txt")

    def measure(mode: str, embedder: Embedder | None = None) -> PairDistances:
        pictures = context.pair_set(root, listed, mode=mode)
        return pictures.measured(context.rows(pictures.faces, embedder, view=View(flip=flip)), mode=mode)

    measured = {mode: measure(mode) for mode in modes}
    figures = {mode: score_pairs(distances) for mode, distances in measured.items()}
    first, own = measured[modes[-1]], figures[modes[-1]]
    second = measure(modes[-1], Embedder(against)) if against else None
    extras = PairExtras.of(first, second, by_group)
    return Result(
        MEASURED,
        _headline(figures) + extras.sentence,
        (_accuracy(figures), _thresholds(figures), *extras.tables),
        (_folds_note(own), *([CENTRE_CROP] if "centre" in modes else []), training_differs(context)),
        figures={**plain(own), **extras.figures, **({"modes": plain(figures)} if len(modes) > 1 else {})},
    )


def _accuracy(figures: dict[str, PairFigures]) -> Table:
    columns = (
        Column("mode"), Column("paper: accuracy", "percent2", paper=True), Column("ours: accuracy", "percent2"),
        Column("area under the ROC", "percent2"), Column("equal error rate", "percent2"),
        Column("VAL at FAR 1e-2", "percent"), Column("false accepts", "count"), Column("false rejects", "count"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for mode, f in figures.items():
        name, printed = MODES[mode]
        errors = f.n_false_accepts, f.n_false_rejects
        accuracy = (f.accuracy_mean, f.accuracy_se)
        rows.append((name, printed, accuracy, f.auc, f.eer, f.tar["1e-2"], *errors))
    return Table("Accuracy and what else the pairs support.", columns, tuple(rows))


def _thresholds(figures: dict[str, PairFigures]) -> Table:
    n_folds = max(f.n_folds for f in figures.values())
    columns = (Column("mode"), *(Column(f"fold {i + 1}", "distance") for i in range(n_folds)))
    rows: list[tuple[Cell, ...]] = [(MODES[mode][0], *f.thresholds) for mode, f in figures.items()]
    return Table(
        f"The distance chosen on the other folds (the paper's: {LFW_THRESHOLD}).", columns, tuple(rows)
    )


def _headline(figures: dict[str, PairFigures]) -> str:
    parts = []
    for mode in ("detector", "centre"):
        if mode in figures:
            f = figures[mode]
            missed = (
                f" ({f.detector_failures} pictures without a detected face)" if mode == "detector" else ""
            )
            parts.append(f"{mean_se(f.accuracy_mean, f.accuracy_se, 2)} with the {MODES[mode][0]}{missed}")
    n_folds = next(iter(figures.values())).n_folds
    return f"LFW, {n_folds} folds: {', '.join(parts)}."


def _folds_note(figures: PairFigures) -> str:
    return lfw_differs() if figures.n_folds == 5 else f"{figures.note or 'Ten folds, the standard protocol'}."
