"""The networks NN1 and NN2, counted layer by layer (paper, Tables 1 and 2)."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec

from facespace.measure.context import Context
from facespace.measure.experiment import experiment
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


@experiment(
    "The Zeiler and Fergus network with 1x1 convolutions: 140M parameters, 1.6B multiply-adds (printed FLOPS) an "
    "image.",
    needs=(),
    example="",
    report={},
)
def table1(context: Context) -> Result:
    """NN1 layer by layer beside the paper's rows."""
    return _counted("NN1", NN1_LAYERS, lambda i, layer: NN1_LAYERS[i][0])


@experiment(
    "The Inception network: 7.5M parameters, 1.6B multiply-adds an image, some 20 times fewer parameters than NN1.",
    needs=(),
    example="",
    report={},
)
def table2(context: Context) -> Result:
    """NN2 block by block beside the paper's rows."""
    return _counted("NN2", NN2_BLOCKS, _block_of)


def _block_of(i: int, layer: str) -> str:
    """The printed block of the i-th layer: blocks.3a.branches.1x1.0 -> inception (3a)."""
    if i < STEM_LAYERS:
        return "inception (2)" if i else "conv1"
    return f"inception ({layer.split('.')[1]})" if layer.startswith("blocks.") else "fully conn"


def _counted(
    name: str, printed: Sequence[tuple[str, str, float, float]], row_of: Callable[[int, str], str]
) -> Result:
    """A network's layers, summed by the printed row that each belongs to."""
    if not find_spec("torch"):
        return not_run(NEEDS_TORCH, remedy="pip install 'facespace[train]'")
    from facespace.training.describe import describe

    network = describe(name.lower())
    counts = {row: [0, 0] for row, *_ in printed}
    for i, layer in enumerate(network.layers):
        row = counts[row_of(i, layer.name)]
        row[0] += layer.weights
        row[1] += layer.multiply_adds
    rows: list[tuple[Cell, ...]] = [
        (row, out, weights, counts[row][0], cost, counts[row][1]) for row, out, weights, cost in printed
    ]
    weights, cost = (sum(row[k] for row in printed) for k in (2, 3))  # type: ignore[misc]
    rows.append(("in all", "", weights, network.weights, cost, network.multiply_adds))
    headline = f"{name} as built here: {network.weights:,} weights, {network.multiply_adds / 1e6:,.1f}M multiply-adds."
    return Result(COMPUTED, headline, (Table(f"{name}, layer by layer.", COLUMNS, tuple(rows)),), (COUNTED,))
