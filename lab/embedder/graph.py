"""The graph of a shipped embedder: what its last layer sees, and another head in that layer's place."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from facespace.embed import prepare
from facespace.errors import DataError
from facespace.measure.views import AS_IT_IS, crop_face
from facespace.models import ModelSpec
from facespace.saved_files import written_beside
from facespace.training.onnx_file import strip_traces
from lab.embedder.head import Head

__all__ = ["last_layer", "trunk_features", "write_with_head"]

MIRROR = (slice(None), slice(None), slice(None, None, -1))


def last_layer(path: Path) -> tuple[str, NDArray[np.float32], NDArray[np.float32]]:
    """The name of the features, and weight (D, F) and bias (D,) of the linear layer that makes an embedding of them.

    Raises:
        DataError: a network that does not end in one linear layer.
    """
    graph = onnx.load(path).graph
    node = _last_gemm(graph, path)
    weights = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    try:
        return node.input[0], weights[node.input[1]].copy(), weights[node.input[2]].copy()
    except (KeyError, IndexError) as error:
        raise DataError(f"{path}: expected a last layer with a weight and a bias of its own") from error


def trunk_features(
    path: Path, spec: ModelSpec, batches: Iterator[NDArray[np.uint8]], *, threads: int = 1
) -> NDArray[np.float32]:
    """What the last layer sees of uint8 crops (B, H, W, 3) and of their mirror images; shape (2, N, F)."""
    model = onnx.load(path)
    name = last_layer(path)[0]
    model.graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    (taken,) = session.get_inputs()
    found: tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]] = ([], [])
    for crops in batches:
        for side, pictures in zip(found, (crops, crops[MIRROR]), strict=True):
            seen = np.stack([crop_face(picture, None, AS_IT_IS, spec) for picture in pictures])
            (features,) = session.run([name], {taken.name: prepare(seen, spec)})
            side.append(features.reshape(len(crops), -1))
    return np.stack([np.concatenate(side) for side in found])


def write_with_head(source: Path, head: Head, path: Path) -> None:
    """The network of ``source`` with another head; its metadata stays.

    Raises:
        DataError: a network that does not end in one linear layer.
    """
    model = onnx.load(source)
    graph = model.graph
    node = _last_gemm(graph, source)
    features, output, place = node.input[0], node.output[0], list(graph.node).index(node)
    old = set(node.input[1:])
    for initialiser in [i for i in graph.initializer if i.name in old]:
        graph.initializer.remove(initialiser)
    graph.node.remove(node)
    nodes = [
        helper.make_node(
            "Gemm", [features, "head.linear.weight", "head.linear.bias"], ["head_linear"], transB=1
        ),
        helper.make_node(
            "Gemm", [features, "head.inner.weight", "head.inner.bias"], ["head_inner"], transB=1
        ),
        helper.make_node("Relu", ["head_inner"], ["head_units"]),
        helper.make_node(
            "Gemm", ["head_units", "head.outer.weight", "head.outer.bias"], ["head_outer"], transB=1
        ),
        helper.make_node("Add", ["head_linear", "head_outer"], [output]),
    ]
    for k, made in enumerate(nodes):
        graph.node.insert(place + k, made)
    for name, value in head.state_dict().items():
        graph.initializer.append(numpy_helper.from_array(value.numpy(), f"head.{name}"))
    onnx.checker.check_model(model)
    with written_beside(path) as partial:
        onnx.save(model, partial)
        strip_traces(partial)


def _last_gemm(graph: onnx.GraphProto, path: Path) -> onnx.NodeProto:
    found = [node for node in graph.node if node.op_type == "Gemm"]
    if not found:
        raise DataError(f"{path}: expected a network that ends in a linear layer")
    return found[-1]
