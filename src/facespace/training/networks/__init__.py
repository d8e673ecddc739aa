"""The networks by name: `build(name, dim=128)` is the one door."""

from collections.abc import Callable
from functools import partial

from torch import nn

from facespace.errors import InputError
from facespace.training.networks.inception import BLOCKS, Inception
from facespace.training.networks.mini_inception import NNS1, NNS2, MiniInception
from facespace.training.networks.plain_residual import PlainResidual
from facespace.training.networks.zeiler_fergus import ZeilerFergus
from facespace.training.recipe import Recipe

__all__ = ["EMBEDDING_LAYERS", "NETWORKS", "build", "check_network", "make_network"]

# What makes an embedding of the last features, in every network; some have no `spread`.
EMBEDDING_LAYERS = ("embedding", "spread")

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "nn1": ZeilerFergus,
    "nn2": partial(Inception, input_hw=(224, 224)),
    "nn3": partial(Inception, input_hw=(160, 160)),
    # Without 5x5 in the higher blocks (paper, section 3.3), and without any.
    "nn4": partial(Inception, input_hw=(96, 96), without_five=frozenset({"4e", "5a", "5b"})),
    "table6": partial(Inception, input_hw=(96, 96), without_five=frozenset(block.name for block in BLOCKS)),
    "nns1": partial(MiniInception, **NNS1),
    "nns2": partial(MiniInception, **NNS2),
    "plain-residual": PlainResidual,
    # Deeper at 14x14, where a multiply-add buys most: 1.01M weights, 112.6M multiply-adds at 112x112.
    "plain-residual-s": partial(PlainResidual, widths=(24, 48, 96, 160), blocks=(0, 2, 1)),
    # For phones: 0.44M weights, 20.0M multiply-adds; a wider network on fewer pixels.
    "plain-residual-xs": partial(
        PlainResidual, input_hw=(80, 80), widths=(16, 32, 64, 120), blocks=(0, 1, 1)
    ),
    # To see that training works, not to ship: 0.22M weights, 18.8M multiply-adds.
    "plain-residual-tiny": partial(PlainResidual, widths=(12, 24, 40, 88), blocks=(0, 1, 1)),
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
    check_network(name)
    return NETWORKS[name](dim=dim, **({"input_hw": input_hw} if input_hw else {}))


def check_network(name: str) -> None:
    """Fail before the work.

    Raises:
        InputError: no network of that name.
    """
    if name not in NETWORKS:
        raise InputError(f"expected a network out of {', '.join(sorted(NETWORKS))}, got '{name}'")


def make_network(recipe: Recipe) -> nn.Module:
    """A freshly initialised network of the recipe's kind, dimension and input."""
    side = recipe.input_px
    return build(recipe.network, dim=recipe.dim, input_hw=(side, side) if side else None)
