"""How weights move in every training loop: optimiser, learning rate, average and clipping. Loops in lab use it too."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from facespace.training.recipe import Optimiser


def make_optimiser(
    options: Optimiser, parameters: Iterable[Any], *, fused: bool | None = None
) -> torch.optim.Optimizer:
    """AdaGrad (paper, section 3.3: learning rate 0.05 at first) or AdamW over parameters, or groups of them.

    ``fused`` is torch's: one kernel a step, which a GPU starts sooner.
    """
    kind = torch.optim.Adagrad if options.kind == "adagrad" else torch.optim.AdamW
    return kind(parameters, lr=options.learning_rate, weight_decay=options.weight_decay, fused=fused)


def decay_groups(network: nn.Module) -> list[dict[str, Any]]:
    """Two groups of parameters for `make_optimiser`: weights, which decay, then biases and norms, which do not."""
    weights = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return [{"params": weights}, {"params": others, "weight_decay": 0.0}]


def learning_rate_at(options: Optimiser, progress: float) -> float:
    """The learning rate where a part ``progress``, in [0, 1], of the run is done, by steps or by the clock."""
    rise = progress / options.warmup if options.warmup else 1.0
    if options.schedule == "steps":
        factor = min(1.0, rise) * 0.1 ** sum(progress >= at for at in options.lower_at)
    elif options.schedule == "one-cycle":
        fallen = min(1.0, (progress - options.warmup) / (1.0 - options.warmup))
        factor = rise if rise < 1.0 else 0.5 * (1.0 + math.cos(math.pi * fallen))
    else:
        fall = (1.0 - progress) / options.decay if options.decay else 1.0
        factor = max(0.0, min(1.0, rise, fall))
    return options.learning_rate * factor


def take_step(optimiser: torch.optim.Optimizer, options: Optimiser, progress: float) -> Tensor:
    """One step by the gradients that are there, clipped, at the learning rate of that part of the run.

    Returns:
        The length of the gradients before they were clipped, a scalar.
    """
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    length = nn.utils.clip_grad_norm_(parameters, options.clip or math.inf)
    for group in optimiser.param_groups:
        group["lr"] = learning_rate_at(options, progress)
    optimiser.step()
    return length


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """average <- decay x average + (1 - decay) x network, for weights and statistics; counts are copied."""
    averaged = average.state_dict()
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            averaged[name].lerp_(value, 1 - decay)
        else:
            averaged[name].copy_(value)
