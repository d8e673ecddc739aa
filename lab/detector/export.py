"""A trained detector becomes one ONNX file with its ModelSpec: norms folded, pictures of any size."""

from pathlib import Path

import torch
from torch import Tensor

from facespace.errors import DataError
from facespace.faces.layouts import OWN_OUTPUTS, STRIDES
from facespace.models import ModelSpec, write_spec
from facespace.saved_files import written_beside
from facespace.training.onnx_file import write_onnx
from facespace.training.run_folder import read_state
from lab.detector.network import ConvUnit, DetectorNetwork, fold_norms
from lab.norms import read_weights, unfold_norms

NAME = "facespace-detector"
SECOND_LOOK_PX = 96  # the side at which landmarks were found to be most accurate, of 64 to 128
SECOND_LOOK_FACES = 2
FAR_LOOK = 4
SCORE_THRESHOLD = 0.45  # version 3's, chosen on the held-out photos and 400 faceless pictures
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
    network = DetectorNetwork(state["widths"])
    network.load_state_dict(state["average"])
    return network.eval()


@torch.no_grad()
def read_network(model: Path, widths: tuple[int, ...], pixels: Tensor) -> DetectorNetwork:
    """An exported detector as a network that can be trained on: `fold_norms` undone.

    Its norms fit uint8 ``pixels`` (B, H, W, 3).

    Raises:
        DataError: the model is of another network.
    """
    network, weights = DetectorNetwork(widths).eval(), read_weights(model)
    try:
        weights["stem.0.conv.weight"] /= network.pixel_scale
        units = [(name, unit) for name, unit in network.named_modules() if isinstance(unit, ConvUnit)]
        unfold_norms(
            [(u.conv, u.norm, weights[f"{n}.conv.weight"], weights[f"{n}.conv.bias"]) for n, u in units],
            lambda: network(pixels.permute(0, 3, 1, 2).float()),
        )
        for name, parameter in network.head.named_parameters(prefix="head"):
            parameter.copy_(weights[name])
    except (KeyError, RuntimeError) as error:
        raise DataError(
            f"{model}: expected an exported detector of the recipe's network, got another: {error}"
        ) from error
    return network


def export_detector(checkpoint: Path, out: Path, *, version: str = "1") -> ModelSpec:
    """Write a checkpoint's averaged network to ``out`` as ONNX, with a ModelSpec that says how to use it.

    Args:
        checkpoint: written by train_detector.
        out: the ONNX file; replaced in one step.
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
            "score_threshold": SCORE_THRESHOLD,
            "strides": list(STRIDES),
            "far_look": FAR_LOOK,
            "second_look_px": SECOND_LOOK_PX,
            "second_look_faces": SECOND_LOOK_FACES,
        },
    )
    with written_beside(out) as partial_file:
        write_network(fold_norms(load_detector(checkpoint)), partial_file)
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
