"""What a network costs, layer by layer: output shapes, weights and multiply-adds."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facespace.models.summary import Layer, ModelSummary
from facespace.training.networks import build


@dataclass(frozen=True)
class NetworkSummary(ModelSummary):
    """A network's size and cost at its own input size; `parameters` is all that is trained."""

    parameters: int = 0


def describe(name: str, *, dim: int = 128) -> NetworkSummary:
    """Build a network by name, run it once on shapes alone, and count.

    Raises:
        InputError: no network of that name.
    """
    with torch.device("meta"):
        network = build(name, dim=dim).eval()
        pictures = torch.zeros(1, 3, *network.input_hw)  # type: ignore[misc]
    layers = _layers(network, pictures)
    n_parameters = sum(p.numel() for p in network.parameters())
    return NetworkSummary(
        name,
        sum(layer.weights for layer in layers),
        sum(layer.multiply_adds for layer in layers),
        (pictures.shape[2], pictures.shape[3]),
        dim,
        layers,
        None,
        n_parameters,
    )


@torch.no_grad()
def _layers(network: nn.Module, pictures: Tensor) -> tuple[Layer, ...]:
    """Those with weights, in the order they run."""
    found: list[Layer] = []

    def count(name: str, layer: nn.Conv2d | nn.Linear, out: Tensor) -> None:
        each = layer.weight[0].numel()
        found.append(Layer(name, tuple(out.shape[1:]), layer.weight.numel(), out[0].numel() * each))

    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(lambda layer, _, out, name=name: count(name, layer, out))
    network(pictures)
    return tuple(found)
