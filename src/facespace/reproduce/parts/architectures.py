"""Figure 4, Table 3 and Figure 5: networks by cost, by VAL and by ROC."""

from facespace.reproduce.blocks import MEASURED, Cell, Column, Plot, Result, Series, Table
from facespace.reproduce.context import Context
from facespace.reproduce.paper import NETWORKS
from facespace.reproduce.part import OnPicture, Part
from facespace.reproduce.parts.curves import REMEDY, Measured, measured_models, runs_of
from facespace.reproduce.parts.differences import holdout_differs, training_differs
from facespace.reproduce.text import mean_se, percent

__all__ = ["FIGURE4", "FIGURE5", "TABLE3"]

FAR = "VAL at FAR 1e-3"
LAYERS_OURS = (
    "NNS1 and NNS2: the paper gives no layers for them, so that a network of that name here is our design of "
    "their size "
    "and cost."
)
DECADES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)


def make_figure4(context: Context, on_picture: OnPicture) -> Result:
    """Multiply-adds and weights against VAL."""
    models = measured_models(context, on_picture)
    printed = sorted(NETWORKS, key=lambda n: (n.multiply_adds, -n.tar[0]))
    paper = Series(
        "paper", tuple(n.multiply_adds for n in printed), tuple(n.tar[0] for n in printed), paper=True, line=False,
        labels=tuple(n.name for n in printed),
    )  # fmt: skip
    ours = _sorted_series(models)
    plot = Plot(
        "Accuracy against cost. The paper's networks and ours were trained on different data and measured on "
        "different "
        "faces: read the shape within each, not the height between them.",
        "multiply-adds of one face", FAR, (paper, ours), x_log=True, x_limits=(1e7, 3e9), y_limits=(0.0, 1.0),
    )  # fmt: skip
    rows = [
        (n.name, n.multiply_adds, n.weights, n.tar, *_cost_cells(runs_of(n.key, models))) for n in NETWORKS
    ] + [_cost_row(m) for m in models if not _is_papers(m, models)]
    columns = (
        Column("network"), Column("paper: multiply-adds", "millions", paper=True),
        Column("paper: weights", "millions", paper=True), Column(f"paper: {FAR}", "percent", paper=True),
        Column("ours: multiply-adds", "millions"), Column("ours: weights", "millions"),
        Column(f"ours: {FAR}", "percent"), Column("trained"),
    )  # fmt: skip
    return _result(context, models, (plot, Table("Cost and accuracy.", columns, tuple(rows))))


def make_table3(context: Context, on_picture: OnPicture) -> Result:
    """VAL of each network."""
    models = measured_models(context, on_picture)
    rows: list[tuple[Cell, ...]] = []
    for network in NETWORKS:
        runs = runs_of(network.key, models)
        size = f"{network.input_hw[0]}x{network.input_hw[1]}"
        rows += [
            (network.name, size, network.tar, _splits(m), m.curve.score.tar, m.budget) for m in runs
        ] or [(network.name, size, network.tar, None, None, "not trained")]
    for m in models:
        if not _is_papers(m, models):
            size = f"{m.input_hw[0]}x{m.input_hw[1]}"
            rows.append((m.title, size, None, _splits(m), m.curve.score.tar, m.budget))
    columns = (
        Column("network"), Column("input"), Column("paper: VAL", "percent", paper=True),
        Column("ours: VAL, five splits", "percent"), Column("ours: VAL, all pairs", "percent"), Column("trained"),
    )  # fmt: skip
    return _result(
        context, models, (Table(f"{FAR}; mean and standard error over five splits.", columns, tuple(rows)),)
    )


def make_figure5(context: Context, on_picture: OnPicture) -> Result:
    """ROC of each model, and the paper's points, of which it prints only those at FAR 1e-3."""
    models = measured_models(context, on_picture)
    curves = tuple(Series(m.title, m.curve.far, m.curve.tar) for m in models)
    printed = [n for n in NETWORKS if n.name in ("NN2", "NN1", "NNS1", "NNS2")]
    paper = Series(
        "paper, Table 3", tuple(1e-3 for _ in printed), tuple(n.tar[0] for n in printed), paper=True, line=False,
        labels=tuple(n.name for n in printed),
    )  # fmt: skip
    lowest = min((m.curve.far[0] for m in models if m.curve.far), default=1.0)
    plot = Plot(
        "ROC over all pairs of the validation faces, from the lowest rate that ten false accepts stand "
        f"behind ({lowest:.1e}).",
        "FAR", "VAL", (*curves, paper), x_log=True, x_limits=(1e-6, 1.0), y_limits=(0.0, 1.0),
    )  # fmt: skip
    columns = (Column("model"), *(Column(f"VAL at FAR {_rate(far)}", "percent") for far in DECADES))
    rows = tuple((m.title, *(_at(m, far) for far in DECADES)) for m in models)
    return _result(context, models, (plot, Table("The curves at round rates.", columns, rows)))


def _result(context: Context, models: list[Measured], blocks: tuple[Plot | Table, ...]) -> Result:
    trained = [n.name for n in NETWORKS if runs_of(n.key, models)]
    missing = [n.name for n in NETWORKS if n.name not in trained]
    own = models[0]
    reached = (
        f"{own.title}: {FAR} {percent(own.curve.score.tar)} over all pairs, "
        + mean_se(own.curve.score.tar_mean, own.curve.score.tar_se)
        + " over five splits."
    )
    said = f" Not trained: {', '.join(missing)}." if missing else ""
    return Result(
        MEASURED, reached + said, blocks, (training_differs(context), holdout_differs(context), LAYERS_OURS),
        remedy=REMEDY if missing else "",
    )  # fmt: skip


def _is_papers(m: Measured, models: list[Measured]) -> bool:
    return any(m in runs_of(n.key, models) for n in NETWORKS)


def _cost_cells(runs: list[Measured]) -> tuple[Cell, ...]:
    if not runs:
        return None, None, None, "not trained"
    best = max(runs, key=lambda m: m.curve.score.tar or 0.0)
    return best.curve.multiply_adds, best.curve.weights, best.curve.score.tar, best.budget


def _cost_row(m: Measured) -> tuple[Cell, ...]:
    return m.title, None, None, None, m.curve.multiply_adds, m.curve.weights, m.curve.score.tar, m.budget


def _sorted_series(models: list[Measured]) -> Series:
    known = sorted((m for m in models if m.curve.score.tar is not None), key=lambda m: m.curve.multiply_adds)
    return Series(
        "facespace", tuple(float(m.curve.multiply_adds) for m in known),
        tuple(float(m.curve.score.tar or 0.0) for m in known), line=False, labels=tuple(m.title for m in known),
    )  # fmt: skip


def _splits(m: Measured) -> Cell:
    score = m.curve.score
    return None if score.tar_mean is None else (score.tar_mean, score.tar_se)


def _at(m: Measured, far: float) -> float | None:
    """VAL at the last point of the curve up to a rate."""
    reached = [tar for rate, tar in zip(m.curve.far, m.curve.tar, strict=True) if rate <= far * 1.001]
    return reached[-1] if reached else None


def _rate(far: float) -> str:
    return f"{far:.0e}".replace("e-0", "e-")


FIGURE4 = Part(
    "figure4",
    "Figure 4: multiply-adds against accuracy",
    "FLOPS (multiply-adds) against VAL at FAR 1e-3 for many networks: accuracy grows with cost, and Inception "
    "networks "
    "reach NN1's accuracy with far fewer parameters.",
    make_figure4,
    ("model", "data", "runs"),
)
TABLE3 = Part(
    "table3",
    "Table 3: network architectures",
    "Mean validation rate at FAR 1e-3 on the hold-out set with its standard error over five splits.",
    make_table3,
    ("model", "data", "runs"),
)
FIGURE5 = Part(
    "figure5",
    "Figure 5: ROC of the networks",
    "ROC of four models on personal photos, FAR from 1e-6 to 1 on a log axis: NN2 above NN1 above NNS1 above NNS2.",
    make_figure5,
    ("model", "data", "runs"),
)
