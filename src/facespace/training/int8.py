"""An int8 twin of an exported embedder: a quarter of the size, for phones and for processors with byte instructions."""

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
from facespace.training.export import INPUT_NAME
from facespace.training.onnx_file import strip_traces, widen_weights

N_PICTURES = 512

# Convolutions and what stands between them but for the first and the last one; the embedding layer and the division by
# the length stay in floats too.
OPERATORS = ("Conv", "Add", "Relu")


def export_int8(model: Path, out: Path, inputs: NDArray[np.float32]) -> ModelSpec:
    """Write ``model`` with byte weights and activations to ``out``; its spec is kept, less what was calibrated.

    Static quantisation: each channel of weights has a scale of its own, the ranges of activations are those that
    ``inputs`` cause. Weights use seven bits, since x86 processors without VNNI add pairs of products in 16 bits, which
    full bytes overflow (onnxruntime's documentation, "Quantize ONNX models", "When and why do I need reduce-range").

    Args:
        model: an embedder in ONNX with a ModelSpec.
        out: the file to write; replaced in one step.
        inputs: training pictures as the network takes them, shape (N, 3, H, W); some hundreds do.

    Raises:
        InputError: no pictures, or pictures of another size than the model takes.
    """
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    spec = read_spec(model)
    if inputs.shape[1:] != (3, *spec.input_hw) or not len(inputs):
        raise InputError(
            f"inputs: expected some of shape (N, 3, {spec.input_hw[0]}, {spec.input_hw[1]}), got {inputs.shape}"
        )
    floats = onnx.load(model)
    widen_weights(floats)
    convolutions = [node.name for node in floats.graph.node if node.op_type == "Conv"]
    with written_beside(out) as partial:
        quantize_static(
            floats,
            partial,
            _Pictures(inputs),
            quant_format=QuantFormat.QDQ,
            calibrate_method=CalibrationMethod.MinMax,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            op_types_to_quantize=list(OPERATORS),
            nodes_to_exclude=[convolutions[0], convolutions[-1]],
        )
        strip_traces(partial)
        return write_spec(partial, spec.uncalibrated(options={"precision": "int8"}))


def evenly_drawn(faces: Path, size_hw: tuple[int, int], *, n: int = N_PICTURES) -> NDArray[np.float32]:
    """Up to ``n`` of the pictures that training reads from ``faces``, evenly spread; shape (n, 3, *size_hw).

    Raises:
        DataError: no pictures there.
    """
    opened = open_faces(faces, size_hw=size_hw)
    chosen = np.linspace(0, len(opened) - 1, min(n, len(opened))).round().astype(np.int64)
    inputs: NDArray[np.float32] = to_input(torch.from_numpy(opened.crops(chosen)), size_hw).numpy()
    return inputs


class _Pictures:
    """onnxruntime's CalibrationDataReader, which it knows by this one method."""

    def __init__(self, inputs: NDArray[np.float32]) -> None:
        self.inputs = iter(inputs)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next input, or None after the last."""
        picture = next(self.inputs, None)
        return None if picture is None else {INPUT_NAME: picture[None]}
