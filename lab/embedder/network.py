"""A shipped embedder as a network that can be trained on: batch norm unfolded again, new blocks begin as nothing."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facespace.training.networks.plain_residual import Block, PlainResidual
from lab.embedder.head import Head
from lab.norms import read_weights, unfold_norms


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
    weights = {name.removeprefix("network."): value for name, value in read_weights(source).items()}
    network = Embedding(trunk, _head(weights)).eval()
    parts = [
        (convolution, norm, _fitted(weights[f"{name}.weight"], convolution), weights[f"{name}.weight_bias"])
        for name, convolution, norm in _matched(network, weights)
    ]
    unfold_norms(parts, lambda: network(pictures))
    return network


def _fitted(weight: Tensor, convolution: nn.Conv2d) -> Tensor:
    """A kernel as it is, or, over the whole last map of another input size, resized with the same sum."""
    size_hw = convolution.weight.shape[2:]
    if weight.shape[2:] == size_hw:
        return weight
    gain = weight.shape[2] * weight.shape[3] / (size_hw[0] * size_hw[1])
    return F.interpolate(weight, tuple(size_hw), mode="bilinear", antialias=True) * gain


def _head(weights: dict[str, Tensor]) -> Head:
    hidden, n_features = weights["head.inner.weight"].shape
    head = Head(n_features, dim=len(weights["head.linear.bias"]), hidden=hidden)
    head.load_state_dict({name: weights[f"head.{name}"] for name in head.state_dict()})
    return head


def _matched(network: Embedding, weights: dict[str, Tensor]) -> list[tuple[str, Any, Any]]:
    """(name in the file, convolution, its batch norm) of each convolution that the file has, stage by stage."""
    found: list[tuple[str, Any, Any]] = []
    waiting = sorted({int(name.split(".")[1]) for name in weights if name.startswith("features.")})
    blocks = {i for i in waiting if f"features.{i}.body.0.weight" in weights}
    for k, module in enumerate(network.features):
        if isinstance(module, nn.Conv2d):
            if waiting[0] in blocks:
                raise ValueError(f"expected no more blocks in the file than in the network, met {waiting[0]}")
            found.append((f"features.{waiting.pop(0)}", module, network.features[k + 1]))
        elif isinstance(module, Block) and waiting and waiting[0] in blocks:
            i = waiting.pop(0)
            found += [(f"features.{i}.body.{j}", module.body[j], module.body[j + 1]) for j in (0, 3)]
    return [*found, ("pool.0", network.pool[0], network.pool[1])]
