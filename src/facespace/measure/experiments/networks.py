"""The networks NN1 and NN2, counted layer by layer (paper, Tables 1 and 2)."""

from collections.abc import Sequence
from importlib.util import find_spec

from facespace.measure.context import Context
from facespace.measure.experiment import Experiment, NoOptions
from facespace.measure.paper import NN1_LAYERS, NN2_BLOCKS
from facespace.measure.result import COMPUTED, Cell, Column, Result, Table, not_run

COLUMNS = (
    Column("layer"), Column("output"),
    Column("paper: weights", "millions", paper=True), Column("ours: weights", "millions"),
    Column("paper: multiply-adds", "millions", paper=True), Column("ours: multiply-adds", "millions"),
)  # fmt: skip
COUNTED = "The paper's rows are rounded and some count biases; ours are weights alone, without biases."
NEEDS_TORCH = "Counting the paper's networks needs torch, which is not installed."
STEM_LAYERS = 3


def run_table1(options: NoOptions, context: Context) -> Result:
    """NN1 layer by layer beside the paper's rows."""
    if not find_spec("torch"):
        return not_run(NEEDS_TORCH, remedy="pip install 'facespace[train]'")
    from facespace.training.describe import describe

    network = describe("nn1")
    rows = [
        _row(name, out, printed, (layer.weights, layer.multiply_adds))
        for (name, out, *printed), layer in zip(NN1_LAYERS, network.layers, strict=True)
    ]
    return _result("NN1", rows, NN1_LAYERS, network.weights, network.multiply_adds)


def run_table2(options: NoOptions, context: Context) -> Result:
    """NN2 block by block beside the paper's rows."""
    if not find_spec("torch"):
        return not_run(NEEDS_TORCH, remedy="pip install 'facespace[train]'")
    from facespace.training.describe import describe

    network = describe("nn2")
    blocks: dict[str, list[int]] = {}
    for i, layer in enumerate(network.layers):
        name = "conv1" if i == 0 else "inception (2)" if i < STEM_LAYERS else _block_of(layer.name)
        counts = blocks.setdefault(name, [0, 0])
        counts[0] += layer.weights
        counts[1] += layer.multiply_adds
    rows = [
        _row(name, out, printed, (blocks[name][0], blocks[name][1])) for name, out, *printed in NN2_BLOCKS
    ]
    return _result("NN2", rows, NN2_BLOCKS, network.weights, network.multiply_adds)


def _block_of(layer: str) -> str:
    """blocks.3a.branches.1x1.0 -> inception (3a)."""
    return f"inception ({layer.split('.')[1]})" if layer.startswith("blocks.") else "fully conn"


def _row(name: str, out: str, printed: Sequence[float], counted: tuple[int, int]) -> tuple[Cell, ...]:
    return name, out, printed[0], counted[0], printed[1], counted[1]


def _result(
    name: str,
    rows: list[tuple[Cell, ...]],
    printed: Sequence[tuple[str, str, float, float]],
    weights: int,
    cost: int,
) -> Result:
    total: tuple[Cell, ...] = (
        "in all",
        "",
        sum(r[2] for r in printed),
        weights,
        sum(r[3] for r in printed),
        cost,
    )
    headline = f"{name} as built here: {weights:,} weights, {cost / 1e6:,.1f}M multiply-adds."
    return Result(
        COMPUTED, headline, (Table(f"{name}, layer by layer.", COLUMNS, (*rows, total)),), (COUNTED,)
    )


TABLE1 = Experiment(
    paper="The Zeiler and Fergus network with 1x1 convolutions: 140M parameters, 1.6B multiply-adds (printed FLOPS) "
    "an image.",
    run=run_table1,
    needs=(),
    example="",
    report={},
)
TABLE2 = Experiment(
    paper="The Inception network: 7.5M parameters, 1.6B multiply-adds an image, some 20 times fewer parameters than "
    "NN1.",
    run=run_table2,
    needs=(),
    example="",
    report={},
)
