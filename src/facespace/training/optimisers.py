"""How weights move: the paper's AdaGrad or AdamW, and how the learning rate goes over a run."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from facespace.training.recipe import Optimiser

__all__ = ["learning_rate_at", "make_optimiser"]


def make_optimiser(options: Optimiser, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """AdaGrad (paper, section 3.3: learning rate 0.05 at first) or AdamW over ``parameters``."""
    if options.kind == "adagrad":
        return torch.optim.Adagrad(parameters, lr=options.learning_rate, weight_decay=options.weight_decay)
    return torch.optim.AdamW(parameters, lr=options.learning_rate, weight_decay=options.weight_decay)


def learning_rate_at(options: Optimiser, progress: float) -> float:
    """The learning rate where a part ``progress``, in [0, 1], of the run is done."""
    rise = progress / options.warmup if options.warmup else 1.0
    if options.schedule == "steps":
        factor = min(1.0, rise) * 0.1 ** sum(progress >= at for at in options.lower_at)
    elif options.schedule == "one-cycle":
        fallen = (progress - options.warmup) / (1.0 - options.warmup)
        factor = rise if rise < 1.0 else 0.5 * (1.0 + math.cos(math.pi * fallen))
    else:
        fall = (1.0 - progress) / options.decay if options.decay else 1.0
        factor = max(0.0, min(1.0, rise, fall))
    return options.learning_rate * factor
