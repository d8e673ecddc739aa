"""Models by cost, by VAL and by ROC: the paper's networks (Figure 4, Table 3 and Figure 5), and any others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from facespace.embed import Embedder
from facespace.measure.context import Context
from facespace.measure.experiment import Option, experiment
from facespace.measure.paper import NETWORKS, holdout_differs, training_differs
from facespace.measure.result import (
    MEASURED,
    Cell,
    Column,
    Plot,
    Result,
    Series,
    Table,
    mean_se,
    percent,
    plain,
)
from facespace.measure.sweep import Score, score_holdout
from facespace.metrics import count_pairs
from facespace.models.summary import summarise

REMEDY = "facespace train RECIPE --data DIR -o RUNS/NAME, then facespace measure report --runs RUNS"


@dataclass(frozen=True)
class Measured:
    """A model on the validation faces."""

    title: str  # for people
    network: str  # the recipe's; "" for a model that no run stands behind
    budget: str  # how long it was trained, on what
    dim: int  # components of its embedding
    input_hw: tuple[int, int]  # rows and columns of its input
    weights: int  # without biases
    multiply_adds: int  # for one face
    score: Score  # VAL at FAR 1e-3
    far: tuple[float, ...]  # rates from the lowest that the pairs support to 1
    tar: tuple[float, ...]  # VAL at each


def measured_models(context: Context) -> list[Measured]:
    """The context's own model, then the trained runs."""
    own = context.embedder
    runs = [(run, Embedder(run.model)) for run in context.runs]
    return [
        measure_model(context, own, own.spec.name, budget=own.spec.training_data),
        *(measure_model(context, model, run.name, run.network, run.budget()) for run, model in runs),
    ]


def measure_model(
    context: Context, embedder: Embedder, title: str, network: str = "", budget: str = ""
) -> Measured:
    """One model; what is known of it goes into the result as it is."""
    faces, spec, cost = context.embedded(context.holdout, embedder), embedder.spec, summarise(embedder.path)
    far, tar = count_pairs(faces.embeddings, faces.labels).curve()
    return Measured(
        title, network, budget, spec.dim, spec.input_hw, cost.weights, cost.multiply_adds, score_holdout(faces),
        far, tar,
    )  # fmt: skip


def runs_of(network: str, models: list[Measured]) -> list[Measured]:
    """The runs of a network of the paper: its own input, 128 components, and no other model in its place."""
    printed = next(n for n in NETWORKS if n.key == network)
    return [m for m in models if m.network == network and m.input_hw == printed.input_hw and m.dim == 128]


FAR = "VAL at FAR 1e-3"
LAYERS_OURS = (
    "NNS1 and NNS2: the paper gives no layers for them, so that a network of that name here is our design of their "
    "size and cost."
)
DECADES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
Block = Plot | Table


@experiment(
    "Figures 4 and 5 compare networks by cost and by ROC.",
    needs=("data", "workers"),
    example="facespace-s my.onnx --data DIR -o models.html",
)
def models(
    context: Context,
    *,
    models: Annotated[
        tuple[str, ...], Option("Embedders: built-in names or ONNX files with a ModelSpec.", argument=True)
    ],
) -> Result:
    """Several models on the validation faces: VAL, weights, multiply-adds and ROC."""
    opened = [Embedder(name) for name in models]
    measured = [measure_model(context, e, e.spec.label, budget=e.spec.training_data) for e in opened]
    reached = "; ".join(f"{m.title} {percent(m.score.tar)}" for m in measured)
    blocks = (_costs([_own_cost(m) for m in measured]), *_roc(measured))
    return Result(
        MEASURED, f"{FAR} over all pairs: {reached}.", blocks, (holdout_differs(context),),
        figures={"models": plain(measured)},
    )  # fmt: skip


def _papers_networks(context: Context, show: Callable[[list[Measured]], tuple[Block, ...]]) -> Result:
    """The paper's networks beside the model and the trained runs that are available."""
    measured = measured_models(context)
    missing = [n.name for n in NETWORKS if not runs_of(n.key, measured)]
    own = measured[0]
    headline = (
        f"{own.title}: {FAR} {percent(own.score.tar)} over all pairs, "
        f"{mean_se(own.score.tar_mean, own.score.tar_se)} over five splits."
    )
    if missing:
        headline += f" Not trained: {', '.join(missing)}."
    return Result(
        MEASURED, headline, show(measured), (training_differs(context), holdout_differs(context), LAYERS_OURS),
        remedy=REMEDY if missing else "", figures={"models": plain(measured)},
    )  # fmt: skip


_experiment = partial(
    experiment, needs=("data", "model", "runs", "workers"), example="--data DIR --runs RUNS", report={}
)


@_experiment(
    "FLOPS (multiply-adds) against VAL at FAR 1e-3 for many networks: accuracy grows with cost, and Inception networks "
    "reach NN1's accuracy with far fewer parameters."
)
def figure4(context: Context) -> Result:
    """Cost and accuracy of the paper's networks, beside the model and the trained runs that are available."""
    return _papers_networks(context, _figure4)


def _figure4(models: list[Measured]) -> tuple[Block, ...]:
    printed = sorted(NETWORKS, key=lambda n: (n.multiply_adds, -n.tar[0]))
    paper = Series(
        "paper", tuple(n.multiply_adds for n in printed), tuple(n.tar[0] for n in printed), paper=True, line=False,
        labels=tuple(n.name for n in printed),
    )  # fmt: skip
    known = sorted((m for m in models if m.score.tar is not None), key=lambda m: m.multiply_adds)
    ours = Series(
        "facespace", tuple(float(m.multiply_adds) for m in known), tuple(m.score.tar or 0.0 for m in known),
        line=False, labels=tuple(m.title for m in known),
    )  # fmt: skip
    plot = Plot(
        "Accuracy against cost. The paper's networks and ours were trained on different data and measured on different "
        "faces: read the shape within each, not the height between them.",
        "multiply-adds of one face", FAR, (paper, ours), x_log=True, x_limits=(1e7, 3e9), y_limits=(0.0, 1.0),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (n.name, n.multiply_adds, n.weights, n.tar, *_best_cost(runs_of(n.key, models))) for n in NETWORKS
    ]
    return plot, _costs(rows + [_own_cost(m) for m in _others(models)])


@_experiment("Mean validation rate at FAR 1e-3 on the hold-out set with its standard error over five splits.")
def table3(context: Context) -> Result:
    """Accuracy of the paper's networks, beside the model and the trained runs that are available."""
    return _papers_networks(context, _table3)


def _table3(models: list[Measured]) -> tuple[Block, ...]:
    rows: list[tuple[Cell, ...]] = []
    for network in NETWORKS:
        size = f"{network.input_hw[0]}x{network.input_hw[1]}"
        rows += [
            (network.name, size, network.tar, m.score.splits, m.score.tar, m.budget)
            for m in runs_of(network.key, models)
        ] or [(network.name, size, network.tar, None, None, "not trained")]
    for m in _others(models):
        size = f"{m.input_hw[0]}x{m.input_hw[1]}"
        rows.append((m.title, size, None, m.score.splits, m.score.tar, m.budget))
    columns = (
        Column("network"), Column("input"), Column("paper: VAL", "percent", paper=True),
        Column("ours: VAL, five splits", "percent"), Column("ours: VAL, all pairs", "percent"), Column("trained"),
    )  # fmt: skip
    return (Table(f"{FAR}; mean and standard error over five splits.", columns, tuple(rows)),)


@_experiment(
    "ROC of four models on personal photos, FAR from 1e-6 to 1 on a log axis: NN2 above NN1 above NNS1 above NNS2."
)
def figure5(context: Context) -> Result:
    """ROC of the paper's networks, beside the model and the trained runs that are available."""
    return _papers_networks(context, _figure5)


def _figure5(models: list[Measured]) -> tuple[Block, ...]:
    printed = [n for n in NETWORKS if n.name in ("NN2", "NN1", "NNS1", "NNS2")]
    return _roc(
        models,
        Series(
            "paper, Table 3", tuple(1e-3 for _ in printed), tuple(n.tar[0] for n in printed), paper=True,
            line=False, labels=tuple(n.name for n in printed),
        ),
    )  # fmt: skip


def _roc(models: Sequence[Measured], *more: Series) -> tuple[Block, ...]:
    curves = tuple(Series(m.title, m.far, m.tar) for m in models)
    lowest = min((m.far[0] for m in models if m.far), default=1.0)
    plot = Plot(
        "ROC over all pairs of the validation faces, from the lowest rate that ten false accepts stand behind "
        f"({lowest:.1e}).",
        "FAR", "VAL", (*curves, *more), x_log=True, x_limits=(1e-6, 1.0), y_limits=(0.0, 1.0),
    )  # fmt: skip
    columns = (Column("model"), *(Column(f"VAL at FAR {_rate(far)}", "percent") for far in DECADES))
    rows = tuple((m.title, *(_at(m, far) for far in DECADES)) for m in models)
    return plot, Table("The curves at round rates.", columns, rows)


def _costs(rows: list[tuple[Cell, ...]]) -> Table:
    columns = (
        Column("network"), Column("paper: multiply-adds", "millions", paper=True),
        Column("paper: weights", "millions", paper=True), Column(f"paper: {FAR}", "percent", paper=True),
        Column("ours: multiply-adds", "millions"), Column("ours: weights", "millions"),
        Column(f"ours: {FAR}", "percent"), Column("trained"),
    )  # fmt: skip
    return Table("Cost and accuracy.", columns, tuple(rows))


def _others(models: list[Measured]) -> list[Measured]:
    """Those that stand for no network of the paper."""
    papers = [m for network in NETWORKS for m in runs_of(network.key, models)]
    return [m for m in models if m not in papers]


def _best_cost(runs: list[Measured]) -> tuple[Cell, ...]:
    if not runs:
        return None, None, None, "not trained"
    best = max(runs, key=lambda m: m.score.tar or 0.0)
    return best.multiply_adds, best.weights, best.score.tar, best.budget


def _own_cost(m: Measured) -> tuple[Cell, ...]:
    return m.title, None, None, None, m.multiply_adds, m.weights, m.score.tar, m.budget


def _at(m: Measured, far: float) -> float | None:
    """VAL at the last point of the curve up to a rate."""
    reached = [tar for rate, tar in zip(m.far, m.tar, strict=True) if rate <= far * 1.001]
    return reached[-1] if reached else None


def _rate(far: float) -> str:
    return f"{far:.0e}".replace("e-0", "e-")
