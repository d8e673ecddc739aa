"""An exported model in bytes: a quarter of the size, for phones and for processors with byte instructions."""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.models import ModelSpec, read_spec, write_spec
from facespace.saved_files import written_beside
from facespace.training.augment import to_input
from facespace.training.data import open_faces
from facespace.training.onnx_file import strip_traces, widen_weights

N_PICTURES = 512

# Convolutions and what stands between them; the first and the last ones stay in floats, as do an embedder's last layers
# and the division by the length.
OPERATORS = ("Conv", "Add", "Relu", "Resize")


def export_int8(model: Path, out: Path, inputs: NDArray[np.float32]) -> ModelSpec:
    """Write the embedder ``model`` with byte weights and activations to ``out``; its spec is kept, less what was
    calibrated.

    Args:
        model: an embedder in ONNX with a ModelSpec.
        out: the file to write; replaced in one step.
        inputs: training pictures as the network takes them, shape (N, 3, H, W); some hundreds do.

    Raises:
        InputError: no pictures, or pictures of another size than the model takes.
    """
    spec = read_spec(model)
    if inputs.shape[1:] != (3, *spec.input_hw) or not len(inputs):
        raise InputError(
            f"inputs: expected some of shape (N, 3, {spec.input_hw[0]}, {spec.input_hw[1]}), got {inputs.shape}"
        )
    with written_beside(out) as partial:
        write_int8(model, partial, (picture[None] for picture in inputs), lambda convs: [convs[0], convs[-1]])
        return write_spec(partial, spec.uncalibrated(options={"precision": "int8"}))


def write_int8(
    model: Path,
    out: Path,
    inputs: Iterable[NDArray[np.float32]],
    in_floats: Callable[[list[onnx.NodeProto]], list[onnx.NodeProto]],
) -> None:
    """Write ``model`` with byte weights and activations to ``out``, without a spec.

    Static quantisation: each channel of weights has a scale of its own, the ranges of activations are those that
    ``inputs`` cause. Weights use seven bits, since x86 processors without VNNI add pairs of products in 16 bits, which
    full bytes overflow (onnxruntime's documentation, "Quantize ONNX models", "When and why do I need reduce-range").

    Args:
        model: a network of convolutions in ONNX with one input.
        out: the file to write.
        inputs: what the network takes, shape (1, 3, H, W), one after the other.
        in_floats: of all convolutions, in their order, those that stay as they are.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    floats = onnx.load(model)
    widen_weights(floats)
    convolutions = [node for node in floats.graph.node if node.op_type == "Conv"]
    quantize_static(
        floats,
        out,
        _Inputs(floats.graph.input[0].name, inputs),
        quant_format=QuantFormat.QDQ,
        calibrate_method=CalibrationMethod.MinMax,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        op_types_to_quantize=list(OPERATORS),
        nodes_to_exclude=[node.name for node in in_floats(convolutions)],
    )
    strip_traces(out)


def evenly_drawn(faces: Path, size_hw: tuple[int, int], *, n: int = N_PICTURES) -> NDArray[np.float32]:
    """Up to ``n`` of the pictures that training reads from ``faces``, evenly spread; shape (n, 3, *size_hw).

    Raises:
        DataError: no pictures there.
    """
    opened = open_faces(faces, size_hw=size_hw)
    chosen = np.linspace(0, len(opened) - 1, min(n, len(opened))).round().astype(np.int64)
    inputs: NDArray[np.float32] = to_input(torch.from_numpy(opened.crops(chosen)), size_hw).numpy()
    return inputs


class _Inputs:
    """onnxruntime's CalibrationDataReader, which it knows by this one method."""

    def __init__(self, name: str, inputs: Iterable[NDArray[np.float32]]) -> None:
        self.name, self.inputs = name, iter(inputs)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next input, or None after the last."""
        picture = next(self.inputs, None)
        return None if picture is None else {self.name: picture}
