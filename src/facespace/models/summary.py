"""What a model file weighs and costs, read from the file itself without the onnx package."""

from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import onnxruntime

from facespace.errors import ModelError
from facespace.models.onnx_metadata import SPEC_KEY, read_metadata
from facespace.models.protobuf import encode_field, integers, values, without
from facespace.models.session import picture_shape
from facespace.models.spec import ModelSpec, read_spec

# Field numbers of onnx.proto.
MODEL_GRAPH, GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_OUTPUT = 7, 1, 5, 12
NODE_INPUT, NODE_OUTPUT, NODE_TYPE = 1, 2, 4
TENSOR_DIMS, TENSOR_NAME, VALUE_NAME = 1, 8, 1
DEFAULT_SIDE_PX = 320


@dataclass(frozen=True)
class Layer:
    """A layer with weights.

    Attributes:
        name: its kind and kernel, such as "Conv 3x3".
        out: shape of its output for one picture, or for one window of it.
        weights: without biases.
        multiply_adds: for one picture, with all its windows.
    """

    name: str
    out: tuple[int, ...]
    weights: int
    multiply_adds: int


@dataclass(frozen=True)
class ModelSummary:
    """A model's size and cost.

    Attributes:
        name: from its spec, else the file's.
        weights: in all layers, without biases.
        multiply_adds: for one picture of ``input_hw``.
        input_hw: rows and columns that were counted with.
        dim: components of an embedding, 0 for a detector.
        layers: those with weights, in order.
        spec: the ModelSpec, or None for a foreign file.
    """

    name: str
    weights: int
    multiply_adds: int
    input_hw: tuple[int, int]
    dim: int
    layers: tuple[Layer, ...]
    spec: ModelSpec | None


def summarise(path: Path) -> ModelSummary:
    """Count the weights and multiply-adds of the ONNX file at ``path``.

    The shapes come from running the model once with every such layer's output shown.

    Raises:
        ModelError: no ONNX model, or one that cannot be run.
    """
    content = path.read_bytes()
    graph = b"".join(values(content, MODEL_GRAPH, path))
    sizes = dict(map(_tensor, values(graph, GRAPH_INITIALIZER, path)))
    nodes = [_node(message) for message in values(graph, GRAPH_NODE, path)]
    # Weights that are kept in fewer bits are widened first.
    sizes |= {
        output: sizes[inputs[0]]
        for kind, inputs, output in nodes
        if kind in ("Cast", "DequantizeLinear") and inputs[0] in sizes
    }
    weighted = [
        (kind, sizes[inputs[1]], output)
        for kind, inputs, output in nodes
        if kind in ("Conv", "Gemm", "MatMul") and len(inputs) > 1 and inputs[1] in sizes
    ]
    spec = read_spec(path) if SPEC_KEY in read_metadata(path) else None
    side_px = (spec.input_hw[0] if spec else 0) or DEFAULT_SIDE_PX
    input_hw, shapes = _run(content, graph, [output for _, _, output in weighted], path, side_px)
    layers = tuple(_layer(kind, dims, *shapes[output]) for kind, dims, output in weighted)
    return ModelSummary(
        spec.name if spec else path.stem,
        sum(layer.weights for layer in layers),
        sum(layer.multiply_adds for layer in layers),
        input_hw,
        spec.dim if spec else layers[-1].out[-1] if layers else 0,
        layers,
        spec,
    )


def _layer(kind: str, dims: list[int], n: int, out: tuple[int, ...]) -> Layer:
    weights = prod(dims)
    if kind == "Conv":
        kernel = "x".join(str(d) for d in dims[2:])
        return Layer(f"Conv {kernel}", out, weights, n * prod(out) * prod(dims[1:]))
    return Layer("Fully connected", out, weights, n * weights * prod(out[:-1]))


def _run(
    content: bytes, graph: bytes, outputs: list[str], path: Path, side_px: int
) -> tuple[tuple[int, int], dict[str, tuple[int, tuple[int, ...]]]]:
    """Of each named tensor how many a picture there are, and the shape of one."""
    shown = graph + b"".join(
        encode_field(GRAPH_OUTPUT, encode_field(VALUE_NAME, name.encode())) for name in outputs
    )
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            without(content, MODEL_GRAPH, path) + encode_field(MODEL_GRAPH, shown), options
        )
        model_input = session.get_inputs()[0]
        shape = picture_shape(model_input.shape, side_px=side_px)
        arrays = session.run(outputs, {model_input.name: np.zeros(shape, np.float32)})
    except Exception as error:  # onnxruntime raises its own unrelated classes
        raise ModelError(
            f"{path}: onnxruntime cannot run this model: {str(error).splitlines()[0]}"
        ) from error
    shapes = {
        name: (array.shape[0] // shape[0], tuple(int(n) for n in array.shape[1:]))
        for name, array in zip(outputs, arrays, strict=True)
    }
    return (shape[1:3] if shape[3] == 3 else shape[2:4]), shapes


def _node(message: bytes) -> tuple[str, list[str], str]:
    """Operator, names of its inputs, name of its first output."""
    kind, inputs, outputs = (
        [text.decode() for text in values(message, number, "node")]
        for number in (NODE_TYPE, NODE_INPUT, NODE_OUTPUT)
    )
    return "".join(kind), inputs, "".join(outputs[:1])


def _tensor(message: bytes) -> tuple[str, list[int]]:
    """Name and shape of an initial value."""
    name = b"".join(values(message, TENSOR_NAME, "tensor")).decode()
    return name, [n for dims in values(message, TENSOR_DIMS, "tensor") for n in integers(dims)]
