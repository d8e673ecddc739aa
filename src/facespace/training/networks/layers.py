"""Layers that several of the paper's networks share."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FloatLinear(nn.Linear):
    """A linear layer that stays in float32 under autocast: distances of near faces need the digits."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, n_in) -> (N, n_out), float32."""
        if x.device.type == "meta":
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class L2Pool(nn.Module):
    """The root of the mean square over 3x3 windows: "L2" in the paper's Table 2. Shape kept at stride 1."""

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) -> (N, C, H / stride, W / stride)."""
        # The small addend keeps the root's gradient finite where all inputs are zero.
        return torch.sqrt(F.avg_pool2d(x.square(), 3, self.stride, 1) + 1e-6)


def pool(kind: str, stride: int) -> nn.Module:
    """3x3 pool: "m" takes the maximum, "L2" the root mean square."""
    return nn.MaxPool2d(3, stride, 1) if kind == "m" else L2Pool(stride)


def conv_norm_relu(
    n_in: int, n_out: int, kernel: int, *, stride: int = 1, batch_norm: bool = True
) -> nn.Sequential:
    """A convolution that keeps the size at stride 1, batch norm if asked for, ReLU."""
    norm = nn.BatchNorm2d(n_out, eps=1e-3) if batch_norm else nn.Identity()
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2),
        norm,
        nn.ReLU(inplace=True),
    )
