"""A network that is asked about several windows of a face, some of them mirrored, in one ONNX file.

The sum of what it gives for each has less of the error that comes with one way to cut a face out, as an average over
crops has in classification (arXiv:1409.1556, section 3.2); the time is that of as many faces.
"""

from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from facespace.errors import InputError
from facespace.models import ModelSpec, read_spec, write_spec
from facespace.saved_files import written_beside

# The picture is larger than a window by a margin on each side, one pixel in so many of a window's side.
MARGIN_EVERY = 32


@dataclass(frozen=True)
class Window:
    """A part of the picture as large as the network's input.

    Attributes:
        down: margins above it: 0, 1 or 2.
        right: margins to its left.
        mirrored: whether the network sees it mirrored.
    """

    down: int
    right: int
    mirrored: bool = False


# The best three of 18, on people and families that no training saw (`lab/embedder/shipped.py`).
WINDOWS = (Window(1, 1), Window(2, 1, mirrored=True), Window(2, 2))


def export_windows(model: Path, out: Path, windows: tuple[Window, ...] = WINDOWS) -> ModelSpec:
    """Write ``model`` to ``out`` such that a run embeds ``windows`` of each face; its spec takes larger pictures.

    Nothing is calibrated any more: the spec has no distances.

    Args:
        model: an embedder in ONNX with a ModelSpec, of pictures (N, 3, H, W), any N, that gives unit rows.
        out: the file to write; replaced in one step.
        windows: what of the picture is embedded.

    Raises:
        InputError: a model of another kind of input.
    """
    spec, file = read_spec(model), onnx.load(model)
    shape = [axis.dim_value for axis in file.graph.input[0].type.tensor_type.shape.dim]
    height, width = spec.input_hw
    if shape != [0, 3, height, width]:
        raise InputError(
            f"{model}: expected an input of any number of pictures of 3x{height}x{width}, got {shape}"
        )
    margin = round(height / MARGIN_EVERY)
    _ask_about(file.graph, windows, margin, (height, width), spec.dim)
    wider = spec.uncalibrated(input_hw=(height + 2 * margin, width + 2 * margin))
    with written_beside(out) as partial:
        onnx.save(file, partial)
        return write_spec(partial, wider)


def _ask_about(
    graph: onnx.GraphProto, windows: tuple[Window, ...], margin: int, hw: tuple[int, int], dim: int
) -> None:
    """Cut the windows out before the network, and add what it gives for them after it."""
    taken, given = graph.input[0].name, graph.output[0].name
    for node in graph.node:
        node.input[:] = ["windows" if name == taken else name for name in node.input]
        node.output[:] = ["window_rows" if name == given else name for name in node.output]
    before: list[onnx.NodeProto] = []
    for k, window in enumerate(windows):
        top, left = window.down * margin, window.right * margin
        # A mirrored one is read from its right end, down to and with its left one.
        last = left - 1 if left else -(2**31)
        columns = (left + hw[1] - 1, last, -1) if window.mirrored else (left, left + hw[1], 1)
        for name, value in zip(
            ("starts", "ends", "steps"), zip((top, top + hw[0], 1), columns, strict=True), strict=True
        ):
            graph.initializer.append(helper.make_tensor(f"window_{k}_{name}", TensorProto.INT64, [2], value))
        graph.initializer.append(helper.make_tensor(f"window_{k}_axes", TensorProto.INT64, [2], [2, 3]))
        parts = [f"window_{k}_{name}" for name in ("starts", "ends", "axes", "steps")]
        before.append(helper.make_node("Slice", [taken, *parts], [f"window_{k}"]))
    before.append(helper.make_node("Concat", [node.output[0] for node in before], ["windows"], axis=0))
    graph.initializer.append(helper.make_tensor("by_window", TensorProto.INT64, [3], [len(windows), -1, dim]))
    graph.initializer.append(helper.make_tensor("window_axis", TensorProto.INT64, [1], [0]))
    after = [
        helper.make_node("Reshape", ["window_rows", "by_window"], ["rows_by_window"]),
        helper.make_node("ReduceSum", ["rows_by_window", "window_axis"], ["sum_of_windows"], keepdims=0),
        helper.make_node("LpNormalization", ["sum_of_windows"], [given], axis=1, p=2),
    ]
    network = list(graph.node)
    del graph.node[:]
    graph.node.extend([*before, *network, *after])
    for axis, side in zip(graph.input[0].type.tensor_type.shape.dim[2:], hw, strict=True):
        axis.dim_value = side + 2 * margin
    del graph.value_info[:]
