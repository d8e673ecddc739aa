"""Tables 5 and 6, and low-resolution training faces: sweeps whose points are trained, with a stated budget."""

from collections.abc import Callable
from functools import partial

from facespace.evaluate.sweeps import Sweep, SweepPoint
from facespace.reproduce.blocks import MEASURED, Cell, Column, Plot, Result, Series, Table
from facespace.reproduce.context import Context
from facespace.reproduce.paper import DIMENSION_TAR, IMAGES_TAR
from facespace.reproduce.part import OnPicture, Part, not_run
from facespace.reproduce.parts.differences import holdout_differs
from facespace.reproduce.text import percent
from facespace.reproduce.trained import TRAINED_SWEEPS, measure_runs, runs_of_sweep, train_sweep

__all__ = ["RESOLUTION", "TABLE5", "TABLE6"]

BUDGET = (
    "Each run is short and its network small (see the budget under the table), against 700 hours of NN1 or of "
    "a 96 px Inception "
    "in the paper: whether a difference shows at all depends on the budget, and a small one is within the "
    "standard error."
)


def _make(context: Context, on_picture: OnPicture, *, name: str, show: Callable[[Sweep], Result]) -> Result:
    """Train what is missing unless the run is quick, then measure what there is."""
    options = context.options
    if not options.quick:
        train_sweep(
            name,
            context.data,
            context.sweeps_folder,
            budget=options.budget,
            device=options.device,
            on_step=on_picture,
        )
    runs = runs_of_sweep(name, context.sweep_runs)
    if len(runs) < 2:
        command = f"facespace evaluate sweep {name} --data DIR --out RUNS/sweeps --budget {options.budget}"
        return not_run(
            f"The runs of this sweep ({TRAINED_SWEEPS[name].varied}) have to be trained first; a quick run does not.",
            remedy=f"{command}, then facespace reproduce --runs RUNS; or facespace reproduce without --quick",
        )
    result = show(measure_runs(name, runs, context.holdout, workers=options.workers, on_photo=on_picture))
    return Result(
        result.status, result.headline, result.blocks, (BUDGET, *result.differs, holdout_differs(context))
    )


def _show_dimension(sweep: Sweep) -> Result:
    rows: list[tuple[Cell, ...]] = [
        (int(p.value or 0), DIMENSION_TAR.get(int(p.value or 0)), _splits(p), p.score.tar)
        for p in sweep.points
    ]
    columns = (
        Column("components", "count"), Column("paper: VAL", "percent", paper=True),
        Column("ours: VAL, five splits", "percent"), Column("ours: VAL, all pairs", "percent"),
    )  # fmt: skip
    return Result(
        MEASURED, _best(sweep, "components"), (Table(_caption(sweep), columns, tuple(rows)),),
        ("The paper finds no significant difference between 128 and 64, 256 or 512 components.",),
    )  # fmt: skip


def _show_images(sweep: Sweep) -> Result:
    rows: list[tuple[Cell, ...]] = [(f"{n:,}", "", tar, None, None) for n, tar in IMAGES_TAR.items()]
    rows += [(p.setting, p.note or "all", None, _splits(p), p.score.tar) for p in sweep.points]
    columns = (
        Column("training images"), Column("chosen"), Column("paper: VAL", "percent", paper=True),
        Column("ours: VAL, five splits", "percent"), Column("ours: VAL, all pairs", "percent"),
    )  # fmt: skip
    curves = [
        Series(group, *_curve([p for p in sweep.points if p.note in (group, "")]))
        for group in ("by image", "by identity")
    ]
    paper = Series("paper", tuple(float(n) for n in IMAGES_TAR), tuple(IMAGES_TAR.values()), paper=True)
    plot = Plot(
        "VAL by the number of training images, equal steps for each.", "training images", "VAL at FAR 1e-3",
        (paper, *curves), x_log=True, y_limits=(0.0, 1.0),
    )  # fmt: skip
    return Result(
        MEASURED, _best(sweep, "images"), (Table(_caption(sweep), columns, tuple(rows)), plot),
        ("'By image' keeps fewer pictures of everyone, 'by identity' every picture of fewer people.",),
    )  # fmt: skip


def _show_resolution(sweep: Sweep) -> Result:
    columns = (
        Column("trained with, seen"), Column("VAL, five splits", "percent"), Column("VAL, all pairs", "percent")
    )  # fmt: skip
    rows = tuple((p.setting, _splits(p), p.score.tar) for p in sweep.points)
    return Result(MEASURED, _best(sweep, "share"), (Table(_caption(sweep), columns, rows),))


def _caption(sweep: Sweep) -> str:
    return f"VAL at FAR 1e-3 on {sweep.material}; {'; '.join(sweep.notes)}."


def _best(sweep: Sweep, what: str) -> str:
    best = max(sweep.points, key=lambda p: p.score.tar or 0.0)
    worst = min(sweep.points, key=lambda p: p.score.tar or 0.0)
    return (
        f"VAL at FAR 1e-3 from {percent(worst.score.tar)} ({worst.setting}) "
        f"to {percent(best.score.tar)} ({best.setting})."
    )


def _splits(point: SweepPoint) -> Cell:
    return None if point.score.tar_mean is None else (point.score.tar_mean, point.score.tar_se)


def _curve(points: list[SweepPoint]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    known = sorted((float(p.value or 0), p.score.tar) for p in points if p.score.tar is not None)
    return tuple(x for x, _ in known), tuple(y for _, y in known)


TABLE5 = Part(
    "table5",
    "Table 5: embedding dimension",
    "VAL at FAR 1e-3 of NN1 with 64 to 512 components: none differs significantly from 128.",
    partial(_make, name="dimension", show=_show_dimension),
    ("data", "sweeps"),
)
TABLE6 = Part(
    "table6",
    "Table 6: number of training images",
    "VAL at FAR 1e-3 after 700 hours of a 96 px network on 2.6M to 260M images: tens of millions help, "
    "hundreds of millions little more.",
    partial(_make, name="images", show=_show_images),
    ("data", "sweeps"),
)
RESOLUTION = Part(
    "resolution",
    "Section 5.4: training with low-resolution faces",
    "The paper supposes that training with faces of lower resolution would improve results on small pictures; "
    "no number is given.",
    partial(_make, name="resolution", show=_show_resolution),
    ("data", "sweeps"),
)
