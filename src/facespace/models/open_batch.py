"""A model that was exported for one picture, made to take any number: only what its inputs and outputs declare."""

from collections.abc import Callable
from pathlib import Path

from facespace.models.protobuf import encode_field, fields, values, without

# Field numbers of onnx.proto.
MODEL_GRAPH = 7
GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_VALUE_INFO = 11, 12, 13
VALUE_NAME, VALUE_TYPE = 1, 2
TYPE_TENSOR, TENSOR_SHAPE, SHAPE_DIM = 1, 2, 1
DIM_NAME = 2
Edit = Callable[[bytes], bytes]


def with_open_batch(content: bytes, names: set[str], path: Path) -> bytes:
    """The model file with the first axis of its inputs and outputs of these names left open.

    Whether the network itself keeps pictures apart must be tried: see `facespace.models.session.Network`.

    Raises:
        ModelError: not an ONNX file.
    """

    def graph(message: bytes) -> bytes:
        kept = without(message, GRAPH_VALUE_INFO, path)
        return _edited(_edited(kept, GRAPH_INPUT, value, path), GRAPH_OUTPUT, value, path)

    def value(message: bytes) -> bytes:
        named = any(name.decode() in names for name in values(message, VALUE_NAME, path))
        return _edited(message, VALUE_TYPE, kind, path) if named else message

    def kind(message: bytes) -> bytes:
        return _edited(message, TYPE_TENSOR, lambda m: _edited(m, TENSOR_SHAPE, shape, path), path)

    def shape(message: bytes) -> bytes:
        dims = [encode_field(DIM_NAME, b"batch"), *values(message, SHAPE_DIM, path)[1:]]
        return b"".join(encode_field(SHAPE_DIM, dim) for dim in dims)

    return _edited(content, MODEL_GRAPH, graph, path)


def _edited(message: bytes, field: int, edit: Edit, path: Path) -> bytes:
    """The message with each field of that number edited."""
    return b"".join(
        encode_field(field, edit(message[value])) if number == field else message[whole]
        for number, whole, value in fields(message, path)
    )
