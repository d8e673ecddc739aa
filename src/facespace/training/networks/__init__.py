"""The networks by name: `build(name, dim=128)` is the one door."""

from collections.abc import Callable

from torch import nn

from facespace.errors import InputError
from facespace.training.networks.inception import nn2, nn3, nn4, table6
from facespace.training.networks.mini_inception import nns1, nns2
from facespace.training.networks.plain_residual import (
    PlainResidual,
    plain_residual_s,
    plain_residual_tiny,
    plain_residual_xs,
)
from facespace.training.networks.zeiler_fergus import nn1
from facespace.training.recipe import Recipe

__all__ = ["EMBEDDING_LAYERS", "NETWORKS", "build", "make_network"]

# What makes an embedding of the last features, in every network; some have no `spread`.
EMBEDDING_LAYERS = ("embedding", "spread")

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "nn1": nn1,
    "nn2": nn2,
    "nn3": nn3,
    "nn4": nn4,
    "nns1": nns1,
    "nns2": nns2,
    "plain-residual": PlainResidual,
    "plain-residual-s": plain_residual_s,
    "plain-residual-xs": plain_residual_xs,
    "plain-residual-tiny": plain_residual_tiny,
    "table6": table6,
}


def build(name: str, *, dim: int = 128, input_hw: tuple[int, int] | None = None) -> nn.Module:
    """A freshly initialised network whose output has ``dim`` components and is not yet normalised.

    Args:
        name: one of NETWORKS.
        dim: components of the embedding.
        input_hw: rows and columns of the pictures; the network's own when absent.

    Raises:
        InputError: no network of that name.
    """
    if name not in NETWORKS:
        raise InputError(f"expected a network out of {', '.join(sorted(NETWORKS))}, got '{name}'")
    return NETWORKS[name](dim=dim, **({"input_hw": input_hw} if input_hw else {}))


def make_network(recipe: Recipe) -> nn.Module:
    """A freshly initialised network of the recipe's kind, dimension and input."""
    side = recipe.input_px
    return build(recipe.network, dim=recipe.dim, input_hw=(side, side) if side else None)
