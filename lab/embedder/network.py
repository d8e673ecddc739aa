"""A shipped embedder as a network that can be trained on: batch norm unfolded again, new blocks begin as nothing."""

from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor, nn

from facespace.training.networks.plain_residual import Block, PlainResidual
from lab.embedder.head import Head


class Embedding(nn.Module):
    """Convolutions and a `Head`: pictures (N, 3, H, W) in [-1, 1] -> unit rows (N, 128).

    Args:
        trunk: its own embedding layer is not used.
        head: of the trunk's features.
    """

    def __init__(self, trunk: PlainResidual, head: Head) -> None:
        super().__init__()
        self.features, self.pool, self.head = trunk.features, trunk.pool, head
        self.input_hw = trunk.input_hw

    def trunk(self, x: Tensor) -> Tensor:
        """Shape (N, 3, H, W) -> features (N, F), which the head takes."""
        features: Tensor = self.pool(self.features(x))
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, 3, H, W) -> unit rows (N, 128), float32."""
        features = self.trunk(x)
        with torch.autocast(x.device.type, enabled=False):
            return F.normalize(self.head(features.float()), dim=1)


def read_network(source: Path, trunk: PlainResidual, pictures: Tensor) -> Embedding:
    """The network of ``source`` in ``trunk``, which may have more blocks a stage; its outputs do not change.

    Args:
        source: an ONNX file of a `PlainResidual` with a `Head`, whose batch norm is folded into its convolutions.
        trunk: of the same widths; blocks that the file lacks pass on what they take. Of another input size its
            outputs are near those of the file.
        pictures: float32 (N, 3, H, W) in [-1, 1], a few hundred: their statistics become those of batch norm.
    """
    weights = {
        i.name.removeprefix("network."): numpy_helper.to_array(i).astype(np.float32)
        for i in onnx.load(source).graph.initializer
    }
    network = Embedding(trunk, _head(weights)).eval()
    pairs = [*_matched(network.features, weights), ("pool.0", network.pool[0], network.pool[1])]
    for name, convolution, norm in pairs:
        assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
        with torch.no_grad():
            convolution.weight.copy_(_fitted(torch.from_numpy(weights[f"{name}.weight"]), convolution))
            norm.running_mean.copy_(-torch.from_numpy(weights[f"{name}.weight_bias"]))  # type: ignore[union-attr]
            norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]
            norm.weight.fill_(1)
            norm.bias.zero_()
    _take_statistics(network, [norm for _, _, norm in pairs], pictures)
    return network


def _fitted(weight: Tensor, convolution: nn.Conv2d) -> Tensor:
    """A kernel as it is, or, over the whole last map of another input size, resized with the same sum."""
    size_hw = convolution.weight.shape[2:]
    if weight.shape[2:] == size_hw:
        return weight
    gain = weight.shape[2] * weight.shape[3] / (size_hw[0] * size_hw[1])
    return F.interpolate(weight, tuple(size_hw), mode="bilinear", antialias=True) * gain


def _head(weights: dict[str, np.ndarray]) -> Head:
    weight, bias, inner = (weights[f"head.{end}"] for end in ("linear.weight", "linear.bias", "inner.bias"))
    head = Head(weight, bias, hidden=len(inner))
    head.load_state_dict({name: torch.from_numpy(weights[f"head.{name}"]) for name in head.state_dict()})
    return head


def _matched(
    features: nn.Sequential, weights: dict[str, np.ndarray]
) -> list[tuple[str, nn.Module, nn.Module]]:
    """(name in the file, convolution, its batch norm) of each convolution that the file has, stage by stage."""
    found: list[tuple[str, nn.Module, nn.Module]] = []
    waiting = sorted({int(name.split(".")[1]) for name in weights if name.startswith("features.")})
    blocks = {i for i in waiting if f"features.{i}.body.0.weight" in weights}
    for k, module in enumerate(features):
        if isinstance(module, nn.Conv2d):
            if waiting[0] in blocks:
                raise ValueError(f"expected no more blocks in the file than in the network, met {waiting[0]}")
            found.append((f"features.{waiting.pop(0)}", module, features[k + 1]))
        elif isinstance(module, Block) and waiting and waiting[0] in blocks:
            i = waiting.pop(0)
            found += [(f"features.{i}.body.{j}", module.body[j], module.body[j + 1]) for j in (0, 3)]
    return found


@torch.no_grad()
def _take_statistics(network: Embedding, norms: list[nn.Module], pictures: Tensor) -> None:
    """Write the mean and variance of what each batch norm takes into it, without a change of what it gives."""
    seen: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def look(norm: nn.Module, taken: tuple[Tensor, ...]) -> None:
        x = taken[0].transpose(0, 1).flatten(1)
        seen[norm] = x.mean(1), x.var(1)

    hooks = [norm.register_forward_pre_hook(look) for norm in norms]
    network(pictures)
    for hook in hooks:
        hook.remove()
    for norm, (mean, variance) in seen.items():
        assert isinstance(norm, nn.BatchNorm2d)
        norm.bias.copy_(mean - norm.running_mean)  # type: ignore[operator]
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.running_mean.copy_(mean)  # type: ignore[union-attr]
        norm.running_var.copy_(variance)  # type: ignore[union-attr]
