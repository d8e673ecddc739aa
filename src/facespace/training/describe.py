"""What a network costs, layer by layer: output shapes, weights and multiply-adds."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facespace.training.networks import build


@dataclass(frozen=True)
class NetworkLayer:
    """A layer with weights.

    Attributes:
        name: its place in the network.
        out: shape of its output for one picture.
        weights: without biases.
        multiply_adds: for one picture.
    """

    name: str
    out: tuple[int, ...]
    weights: int
    multiply_adds: int


@dataclass(frozen=True)
class NetworkSummary:
    """A network's size and cost at its own input size.

    Attributes:
        name: of the network.
        weights: of convolutions and linear layers, without biases and normalisation.
        parameters: all that is trained.
        multiply_adds: for one picture.
        input_hw: rows and columns.
        dim: components of the embedding.
        layers: those with weights, in the order they run.
        spec: none, a network is not a model yet.
    """

    name: str
    weights: int
    parameters: int
    multiply_adds: int
    input_hw: tuple[int, int]
    dim: int
    layers: tuple[NetworkLayer, ...]
    spec: None = None


def describe(name: str, *, dim: int = 128) -> NetworkSummary:
    """Build a network by name, run it once on shapes alone, and count.

    Raises:
        InputError: no network of that name.
    """
    with torch.device("meta"):
        network = build(name, dim=dim).eval()
    input_hw: tuple[int, int] = network.input_hw  # type: ignore[assignment]
    layers = _layers(network, torch.zeros(1, 3, *input_hw, device="meta"))
    return NetworkSummary(
        name,
        sum(layer.weights for layer in layers),
        sum(p.numel() for p in network.parameters()),
        sum(layer.multiply_adds for layer in layers),
        input_hw,
        dim,
        tuple(layers),
    )


def multiply_adds(network: nn.Module, input_hw: tuple[int, int]) -> int:
    """Of convolutions and linear layers for one picture of that size."""
    device = next(network.parameters()).device
    return sum(layer.multiply_adds for layer in _layers(network, torch.zeros(1, 3, *input_hw, device=device)))


@torch.no_grad()
def _layers(network: nn.Module, pictures: Tensor) -> list[NetworkLayer]:
    found: list[NetworkLayer] = []

    def count(name: str, layer: nn.Conv2d | nn.Linear, out: Tensor) -> None:
        each = layer.weight[0].numel()
        found.append(NetworkLayer(name, tuple(out.shape[1:]), layer.weight.numel(), out[0].numel() * each))

    handles = [
        layer.register_forward_hook(lambda layer, _, out, name=name: count(name, layer, out))
        for name, layer in network.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    try:
        network(pictures)
    finally:
        for handle in handles:
            handle.remove()
    return found
