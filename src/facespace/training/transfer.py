"""Begin a network with the weights of another run: one trained on smaller pictures, or for another dimension."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facespace.errors import DataError


@torch.no_grad()
def transfer(weights: dict[str, Tensor], network: nn.Module, *, fresh: tuple[str, ...] = ()) -> list[str]:
    """Copy ``weights`` into ``network``; what fits in all but the size of a kernel is resized.

    A convolution over a whole map, such as the last pool of `PlainResidual`, has a kernel of the map's size: trained
    on smaller pictures it is stretched, and keeps its sum. Weights of another number of outputs, such as an embedding
    layer of another dimension, stay as they were initialised; so do the layers called ``fresh``.

    Returns:
        Names of the weights that stayed.

    Raises:
        DataError: other names, or the inner layers have other shapes: another kind of network.
    """
    own = network.state_dict()
    if weights.keys() != own.keys():
        odd = sorted(weights.keys() ^ own.keys())[0]
        raise DataError(f"the run to begin with is of another network: only one of the two has '{odd}'")
    stayed = []
    for name, value in own.items():
        given = weights[name]
        if name.split(".")[0] in fresh:
            stayed.append(name)
            continue
        if given.ndim == 4 and given.shape != value.shape and given.shape[:2] == value.shape[:2]:
            given = _resized(given, value.shape[2], value.shape[3])
        if given.shape == value.shape:
            value.copy_(given)
        else:
            stayed.append(name)
    if len(stayed) == len(own) or any(own[name].ndim == 4 for name in stayed):
        raise DataError(
            f"the run to begin with is of another network: '{stayed[0]}' has shape {tuple(weights[stayed[0]].shape)}, "
            f"expected {tuple(own[stayed[0]].shape)}"
        )
    return stayed


def _resized(kernel: Tensor, height: int, width: int) -> Tensor:
    scale = kernel.shape[2] * kernel.shape[3] / (height * width)
    return F.interpolate(kernel, (height, width), mode="bilinear", align_corners=True) * scale
