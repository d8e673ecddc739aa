"""A network becomes an ONNX file that says nothing of the machine it was made on."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor, nn

OPSET = 18
LARGE = 1000  # weights of a tensor


def write_onnx(
    network: nn.Module,
    example: Tensor,
    path: Path,
    *,
    input_name: str,
    output_names: Sequence[str],
    free_axes: dict[int, Any],
) -> None:
    """Export ``network``, in evaluation mode, to ``path``, without the exporter's stack traces.

    Args:
        network: takes one tensor.
        example: an input; an axis of length one would be fixed at that.
        path: the file to write.
        input_name: of the one input.
        output_names: of the outputs, in their order.
        free_axes: axes of the input that may have any length, each with its torch.export.Dim.
    """
    with warnings.catch_warnings():
        # The exporter trips over deprecations of its own.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network,
            (example,),
            str(path),
            input_names=[input_name],
            output_names=list(output_names),
            dynamic_shapes=(free_axes,),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    strip_traces(path)


def narrow_weights(path: Path) -> None:
    """Keep the large weights of a file as float16, in half the bytes; a runtime widens them when it loads them."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) >= LARGE:
            name = tensor.name
            half = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, name))
            for node in model.graph.node:
                node.input[:] = [f"{name}.float" if taken == name else taken for taken in node.input]
            cast = helper.make_node("Cast", [name], [f"{name}.float"], to=onnx.TensorProto.FLOAT)
            model.graph.node.insert(0, cast)
    # What it says of inner tensors says float32 of these.
    model.graph.ClearField("value_info")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def widen_weights(model: onnx.ModelProto) -> None:
    """Undo what `narrow_weights` did, for tools that look for weights among the initialisers."""
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for cast in [node for node in graph.node if node.op_type == "Cast" and node.input[0] in weights]:
        tensor = weights[cast.input[0]]
        wide = numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
        for node in graph.node:
            node.input[:] = [tensor.name if taken == cast.output[0] else taken for taken in node.input]
        graph.node.remove(cast)


def strip_traces(path: Path) -> None:
    """Remove what an exporter notes beside a network: doc strings and metadata of its graph and nodes.

    These hold stack traces with paths of the machine. The model's own metadata stays, and so do weights and names.
    """
    model = onnx.load(path)
    model.ClearField("doc_string")
    for part in _parts(model):
        part.ClearField("doc_string")
        if hasattr(part, "metadata_props"):
            part.ClearField("metadata_props")
    onnx.save(model, path)


def _parts(model: onnx.ModelProto) -> Iterator[Any]:
    for graph in (model.graph, *model.functions):
        yield graph
        yield from graph.node
        yield from graph.value_info
    yield from (*model.graph.input, *model.graph.output, *model.graph.initializer)
