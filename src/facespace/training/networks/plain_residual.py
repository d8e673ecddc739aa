"""The small network that ships: plain 3x3 convolutions with ReLU and a few residual blocks.

    layer      out           kernel, stride      weights    multiply-adds
    stem       56x56x32      3x3, 2              0.9K       2.7M
    stage 1    28x28x48      3x3, 2              14K        10.8M
    stage 2    14x14x96      3x3, 2; block       207K       40.6M
    stage 3    7x7x160       3x3, 2; block       599K       29.4M
    pool       1x1x160       7x7 depthwise       7.8K       0.0M
    embedding  128           fully connected     20K        0.0M

Dense convolutions and ReLU, because onnxruntime and oneDNN run them near the processor's peak while
depthwise ones and PReLU leave it waiting for memory. The depthwise 7x7 in place of an average lets every
channel learn which part of an aligned face it looks at (MobileFaceNet, arXiv:1804.07573, section 3.1).
"""

import itertools

import torch
from torch import Tensor, nn

from facespace.training.networks.layers import FloatLinear

WIDTHS = (32, 48, 96, 160)
BLOCKS = (0, 1, 1)
INPUT_PX = 112


def conv(n_in: int, n_out: int, *, stride: int = 1) -> list[nn.Module]:
    """A 3x3 convolution without bias, then batch norm."""
    return [nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out)]


class Block(nn.Module):
    """relu(x + conv(relu(conv(x)))): shape (N, C, H, W) kept."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*conv(width, width), nn.ReLU(inplace=True), *conv(width, width))
        # A block that begins as the identity trains more steadily (arXiv:1706.02677, section 5.1).
        nn.init.zeros_(self.body[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) -> the same."""
        return torch.relu(x + self.body(x))


class PlainResidual(nn.Module):
    """Images (N, 3, H, W) in [-1, 1] -> embeddings (N, dim), not yet normalised.

    Args:
        dim: components of the embedding.
        input_hw: rows and columns.
        widths: channels of the stem and of each stage; each halves the side.
        blocks: residual blocks of each stage after the stem.
    """

    def __init__(
        self,
        *,
        dim: int = 128,
        input_hw: tuple[int, int] = (INPUT_PX, INPUT_PX),
        widths: tuple[int, ...] = WIDTHS,
        blocks: tuple[int, ...] = BLOCKS,
    ) -> None:
        super().__init__()
        self.input_hw = input_hw
        layers = [*conv(3, widths[0], stride=2), nn.ReLU(inplace=True)]
        for (n_in, n_out), n_blocks in zip(itertools.pairwise(widths), blocks, strict=True):
            layers += [*conv(n_in, n_out, stride=2), nn.ReLU(inplace=True)]
            layers += [Block(n_out) for _ in range(n_blocks)]
        self.features = nn.Sequential(*layers)
        last_hw = (-(-input_hw[0] // 2 ** len(widths)), -(-input_hw[1] // 2 ** len(widths)))
        self.pool = nn.Sequential(
            nn.Conv2d(widths[-1], widths[-1], last_hw, groups=widths[-1], bias=False),
            nn.BatchNorm2d(widths[-1]),
            nn.Flatten(),
        )
        self.embedding = FloatLinear(widths[-1], dim, bias=False)
        # Centres and spreads the components, so that untrained embeddings do not start as one point.
        self.spread = nn.BatchNorm1d(dim, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, 3, H, W) -> (N, dim)."""
        return self.spread(self.embedding(self.pool(self.features(x))))
