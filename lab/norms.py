"""Batch norm again in networks whose export folded it into their convolutions, so that they can be trained on."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn


def read_weights(model: Path) -> dict[str, Tensor]:
    """The weights of an ONNX file by name, in float32; those that it keeps as bytes too."""
    graph = onnx.load(model).graph
    weights = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()).float() for i in graph.initializer}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in weights:
            values, scale = (weights[name] for name in node.input[:2])
            by_channel = scale.reshape(-1, *[1] * (values.ndim - 1))
            weights[node.input[0].removesuffix("_quantized")] = values * by_channel
    return weights


@torch.no_grad()
def unfold_norms(parts: Iterable[tuple[Any, Any, Tensor, Tensor]], run: Callable[[], object]) -> None:
    """Give convolutions the weights of a file, and the norms behind them what leaves of them only its bias.

    Each norm gets the mean and spread that its convolution's output has, and the gain and shift that undo them there:
    the network computes what the file's does.

    Args:
        parts: convolution, its norm, and the weight and bias of the two together in the file.
        run: sends pictures through the network, which is in evaluation mode.
    """
    hooks = []
    for convolution, norm, weight, bias in parts:
        convolution.weight.copy_(weight)
        hooks.append(convolution.register_forward_hook(partial(_fit_norm, norm, bias)))
    run()
    for hook in hooks:
        hook.remove()


def _fit_norm(norm: Any, bias: Tensor, _: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
    """Let ``norm`` only add ``bias`` to the ``output`` of its convolution, which it gets next."""
    mean, var = output.mean((0, 2, 3)), output.var((0, 2, 3))
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(var)
    norm.weight.copy_((var + norm.eps).sqrt())
    norm.bias.copy_(bias + mean)
