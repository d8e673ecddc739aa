"""The networks by name: `build(name, dim=128)` is the one door."""

from collections.abc import Callable

from torch import nn

from facespace.errors import InputError
from facespace.training.networks.inception import nn2, nn3, nn4, table6
from facespace.training.networks.mini_inception import nns1, nns2
from facespace.training.networks.plain_residual import PlainResidual
from facespace.training.networks.zeiler_fergus import nn1

__all__ = ["NETWORKS", "build"]

NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "nn1": nn1,
    "nn2": nn2,
    "nn3": nn3,
    "nn4": nn4,
    "nns1": nns1,
    "nns2": nns2,
    "plain-residual": lambda dim: PlainResidual(dim=dim),
    "table6": table6,
}


def build(name: str, *, dim: int = 128) -> nn.Module:
    """A freshly initialised network whose output has ``dim`` components and is not yet normalised.

    Raises:
        InputError: no network of that name.
    """
    if name not in NETWORKS:
        raise InputError(f"expected a network out of {', '.join(sorted(NETWORKS))}, got '{name}'")
    return NETWORKS[name](dim)
