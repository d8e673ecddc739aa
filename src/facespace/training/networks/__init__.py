"""The networks by name: `build(name, dim=128)` is the one door."""

from collections.abc import Callable

from torch import nn

from facespace.errors import InputError
from facespace.training.networks.plain_residual import PlainResidual

__all__ = ["NETWORKS", "build"]

NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "plain-residual": lambda dim: PlainResidual(dim=dim),
}


def build(name: str, *, dim: int = 128) -> nn.Module:
    """A freshly initialised network whose output has ``dim`` components and is not yet normalised.

    Raises:
        InputError: no network of that name.
    """
    if name not in NETWORKS:
        raise InputError(f"expected a network out of {', '.join(sorted(NETWORKS))}, got '{name}'")
    return NETWORKS[name](dim)
