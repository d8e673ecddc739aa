"""A network becomes an ONNX file that says nothing of the machine it was made on."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

__all__ = ["strip_traces", "write_onnx"]

OPSET = 18


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
