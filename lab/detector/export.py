"""A trained detector becomes one ONNX file with its ModelSpec: norms folded, in bytes, pictures of any size."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facespace.errors import DataError
from facespace.faces.layouts import OWN_OUTPUTS, STRIDES
from facespace.models import ModelSpec, write_spec
from facespace.saved_files import written_beside
from facespace.training.int8 import write_int8
from facespace.training.onnx_file import write_onnx
from facespace.training.run_folder import read_state
from lab.detector.network import UNITS, WIDTHS, ConvUnit, DetectorNetwork, fold_norms
from lab.norms import read_weights, unfold_norms

NAME = "facespace-detector"
SECOND_LOOK_PX = 96  # the side at which landmarks were found to be most accurate, of 64 to 128
SECOND_LOOK_FACES = 2
FAR_LOOK = 4
SCORE_THRESHOLD = 0.4  # chosen on the held-out photos and pictures of clothes and rooms
NEW_UNIT_GAIN = 0.1
TRAINING_DATA = (
    "2,246 photographs of seven events of WIDER FACE's train part, about 1,400 photographs with the boxes and "
    "landmarks of a published detector, 5,885 aligned face thumbnails (CelebA, PINS, Glint360K) pasted into collages, "
    "and 830 pictures of clothes and houses without a face"
)
LICENCE = "non-commercial research: CelebA's and WIDER FACE's terms; PINS and Glint360K state none"


def load_detector(checkpoint: Path) -> DetectorNetwork:
    """The averaged network of a checkpoint, in evaluation mode.

    Raises:
        DataError: no checkpoint there.
    """
    state = read_state(checkpoint)
    network = DetectorNetwork(state["widths"], state["units"])
    network.load_state_dict(state["average"])
    return network.eval()


@torch.no_grad()
def read_network(
    model: Path, pixels: Tensor, widths: tuple[int, ...] = WIDTHS, units: tuple[int, ...] = UNITS
) -> DetectorNetwork:
    """An exported detector as a network that can be trained on: `fold_norms` undone.

    Its norms fit uint8 ``pixels`` (B, H, W, 3). A network of more channels or units gives nearly what the model gives:
    what is new is drawn, and nothing of the model takes it at first.

    Raises:
        DataError: the model is of another kind of network, or of a larger one.
    """
    network, weights = DetectorNetwork(widths, units).eval(), read_weights(model)
    convolutions = {f"{n}.conv": unit for n, unit in network.named_modules() if isinstance(unit, ConvUnit)}
    try:
        weights["stem.0.conv.weight"] /= network.pixel_scale
        parts = [
            (
                unit.conv,
                unit.norm,
                _placed(weights, f"{name}.weight", unit.conv.weight),
                _placed(weights, f"{name}.bias", torch.zeros(unit.conv.out_channels)),
            )
            for name, unit in convolutions.items()
        ]
        unfold_norms(parts, lambda: network(pixels.permute(0, 3, 1, 2).float()))
        for name, parameter in network.head.named_parameters(prefix="head"):
            parameter.copy_(_placed(weights, name, parameter))
        if left := [name for name in weights if name.endswith("conv.weight")]:
            raise KeyError(left[0])
    except (KeyError, RuntimeError) as error:
        raise DataError(
            f"{model}: expected an exported detector of the recipe's network, got another: {error}"
        ) from error
    return network


def _placed(weights: dict[str, Tensor], name: str, drawn: Tensor) -> Tensor:
    """The file's weight in the corner of a larger one, whose other rows stay as drawn; a new unit begins faintly."""
    if name not in weights:
        return drawn * NEW_UNIT_GAIN
    given, wide = weights.pop(name), drawn.clone()
    wide[: len(given)] = 0
    wide[tuple(slice(n) for n in given.shape)] = given
    return wide


def export_detector(
    checkpoint: Path, out: Path, pictures: Iterable[NDArray[np.uint8]], *, version: str = "1"
) -> ModelSpec:
    """Write a checkpoint's averaged network to ``out`` as ONNX in bytes, with a ModelSpec that says how to use it.

    Args:
        checkpoint: written by train_detector.
        out: the ONNX file; replaced in one step.
        pictures: uint8 RGB (H, W, 3), sides multiples of 32; the ranges of activations are those of some hundred.
        version: of the weights.

    Raises:
        DataError: no checkpoint there.
    """
    spec = ModelSpec(
        name=NAME,
        version=version,
        task="detector",
        input_hw=(0, 0),
        mean=0.0,
        std=1.0,
        dim=0,
        training_data=TRAINING_DATA,
        licence=LICENCE,
        options={
            "layout": "facespace",
            "precision": "int8",
            "score_threshold": SCORE_THRESHOLD,
            "strides": list(STRIDES),
            "far_look": FAR_LOOK,
            "second_look_px": SECOND_LOOK_PX,
            "second_look_faces": SECOND_LOOK_FACES,
        },
    )
    inputs = (pixels.transpose(2, 0, 1)[None].astype(np.float32) for pixels in pictures)
    with written_beside(out) as partial_file, TemporaryDirectory() as folder:
        floats = Path(folder) / "floats.onnx"
        write_network(fold_norms(load_detector(checkpoint)), floats)
        # Of the heads' scores and offsets every bit counts.
        write_int8(
            floats,
            partial_file,
            inputs,
            lambda convs: [convs[0], *(node for node in convs if "head." in node.input[1])],
        )
        return write_spec(partial_file, spec)


def write_network(network: DetectorNetwork, path: Path) -> None:
    """A network whose norms are folded as ONNX, for pictures of any size."""
    rows, columns = torch.export.Dim("rows", min=1, max=512), torch.export.Dim("columns", min=1, max=512)
    write_onnx(
        network,
        torch.zeros(1, 3, 96, 128),
        path,
        input_name="image",
        output_names=OWN_OUTPUTS,
        free_axes={2: 32 * rows, 3: 32 * columns},
    )
