"""A trained detector becomes one ONNX file with its ModelSpec: norms folded, pictures of any size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from facespace.errors import DataError
from facespace.faces.layouts import OWN_OUTPUTS
from facespace.models import ModelSpec, write_spec
from facespace.saved_files import written_beside
from facespace.training.onnx_file import write_onnx
from facespace.training.run_folder import read_state
from lab.detector.network import (
    STRIDES,
    ConvUnit,
    DetectorNetwork,
    NetworkOptions,
    fold_norms,
)

NAME = "facespace-detector"
SECOND_LOOK_PX = 96  # the side at which landmarks were found to be most accurate, of 64 to 128
SECOND_LOOK_FACES = 2
FAR_LOOK = 4
NEW_UNIT_GAIN = 0.1  # at 0 the ReLU behind it would pass no gradient
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
    if not checkpoint.is_file():
        raise DataError(f"{checkpoint}: expected a checkpoint of a detector's training, there is none")
    state = read_state(checkpoint)
    network = DetectorNetwork(NetworkOptions(**state["options"]))
    network.load_state_dict(averaged_weights(state))
    return network.eval()


def averaged_weights(state: dict[str, Any]) -> dict[str, Tensor]:
    """The averaged weights of a checkpoint; names in older ones begin with "module.", beside a count of steps."""
    return {
        name.removeprefix("module."): value
        for name, value in state["average"].items()
        if name != "n_averaged"
    }


@torch.no_grad()
def unfold_norms(model: Path, options: NetworkOptions, pixels: Tensor) -> dict[str, Tensor]:
    """The weights of an exported detector as a network in training has them: `fold_norms` undone.

    Each norm gets the mean and spread that its convolution's output has on ``pixels``, uint8 (B, H, W, 3), and the
    gain and shift that undo them there: the network computes what the exported one does. Residual units that the
    exported one lacks begin with a small gain, and so change little.

    Raises:
        DataError: the model is of another network.
    """
    network = DetectorNetwork(options).eval()
    weights = {
        i.name: torch.from_numpy(numpy_helper.to_array(i).copy()) for i in onnx.load(model).graph.initializer
    }
    x, hooks = pixels.permute(0, 3, 1, 2).float(), []
    try:
        weights["stem.0.conv.weight"] /= network.pixel_scale
        for name, module in network.named_modules():
            if name.endswith(".unit") and f"{name}.conv.weight" not in weights:
                assert isinstance(module, ConvUnit)
                nn.init.constant_(module.norm.weight, NEW_UNIT_GAIN)  # type: ignore[arg-type]
            elif isinstance(module, ConvUnit):
                module.conv.weight.copy_(weights[f"{name}.conv.weight"])
                hooks.append(
                    module.conv.register_forward_hook(_norm_setter(module.norm, weights[f"{name}.conv.bias"]))
                )
        for name, parameter in network.head.named_parameters(prefix="head"):
            parameter.copy_(weights[name])
    except (KeyError, RuntimeError) as error:
        raise DataError(
            f"{model}: expected an exported detector of the recipe's network, got another: {error}"
        ) from error
    network(x)
    for hook in hooks:
        hook.remove()
    return network.state_dict()


def _norm_setter(norm: nn.Module, bias: Tensor) -> Callable[..., None]:
    """A hook that sets ``norm`` so that it only adds ``bias`` to what passes it, before it passes."""

    def set_norm(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        mean, var = output.mean((0, 2, 3)), output.var((0, 2, 3))
        norm.running_mean.copy_(mean)  # type: ignore[union-attr]
        norm.running_var.copy_(var)  # type: ignore[union-attr]
        norm.weight.copy_((var + norm.eps).sqrt())
        norm.bias.copy_(bias + mean)

    return set_norm


def export_detector(
    checkpoint: Path, out: Path, *, score_threshold: float = 0.5, version: str = "1"
) -> ModelSpec:
    """Write a checkpoint's averaged network to ``out`` as ONNX, with a ModelSpec that says how to use it.

    Args:
        checkpoint: written by train_detector.
        out: the ONNX file; replaced in one step.
        score_threshold: least score of a face, chosen on training photos that no step has seen.
        version: of the weights.

    Raises:
        DataError: no checkpoint there.
    """
    network = fold_norms(load_detector(checkpoint))
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
            "score_threshold": score_threshold,
            "strides": list(STRIDES),
            "far_look": FAR_LOOK,
            "second_look_px": SECOND_LOOK_PX,
            "second_look_faces": SECOND_LOOK_FACES,
        },
    )
    with written_beside(out) as partial:
        _to_onnx(network, partial)
        return write_spec(partial, spec)


def _to_onnx(network: DetectorNetwork, path: Path) -> None:
    rows, columns = torch.export.Dim("rows", min=1, max=512), torch.export.Dim("columns", min=1, max=512)
    write_onnx(
        network,
        torch.zeros(1, 3, 96, 128),
        path,
        input_name="image",
        output_names=OWN_OUTPUTS,
        free_axes={2: 32 * rows, 3: 32 * columns},
    )
