"""The paper's Inception networks: NN2 (Table 2), NN3, NN4 and Table 6's model, from one table of BLOCKS.

Before the blocks conv1 (7x7, 64, /2), a pool, "inception 2" (1x1 to 64, 3x3 to 192), a pool; behind them the average
and a fully connected layer. Weights without biases and normalisation: NN2 and NN3 7,448,256; NN4, which leaves the
5x5 out of 4e, 5a and 5b, 6,600,384; Table 6's model, without any 5x5, 5,958,848.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facespace.training.networks.layers import FloatLinear, conv_norm_relu, pool


@dataclass(frozen=True)
class Block:
    """A row of the table; a width of 0 leaves the branch out, a projection of 0 the pool's 1x1.

    `three_reduce` and `five_reduce` are the 1x1 convolutions before `three` (3x3) and `five` (5x5); `pool` is "m" or
    "L2" (see `layers.pool`), `projection` the 1x1 behind it.
    """

    name: str
    one: int
    three_reduce: int
    three: int
    five_reduce: int
    five: int
    pool: str
    projection: int
    stride: int = 1


BLOCKS = (
    Block("3a", 64, 96, 128, 16, 32, "m", 32),
    Block("3b", 64, 96, 128, 32, 64, "L2", 64),
    Block("3c", 0, 128, 256, 32, 64, "m", 0, stride=2),
    Block("4a", 256, 96, 192, 32, 64, "L2", 128),
    Block("4b", 224, 112, 224, 32, 64, "L2", 128),
    Block("4c", 192, 128, 256, 32, 64, "L2", 128),
    Block("4d", 160, 144, 288, 32, 64, "L2", 128),
    Block("4e", 0, 160, 256, 64, 128, "m", 0, stride=2),
    Block("5a", 384, 192, 384, 48, 128, "L2", 128),
    Block("5b", 384, 192, 384, 48, 128, "m", 128),
)


class Mixed(nn.Module):
    """One block: its branches side by side, joined along the channels."""

    def __init__(self, n_in: int, block: Block, *, with_five: bool = True) -> None:
        super().__init__()
        self.branches = nn.ModuleDict()
        if block.one:
            self.branches["1x1"] = conv_norm_relu(n_in, block.one, 1)
        self.branches["3x3"] = nn.Sequential(
            conv_norm_relu(n_in, block.three_reduce, 1),
            conv_norm_relu(block.three_reduce, block.three, 3, stride=block.stride),
        )
        if with_five:
            self.branches["5x5"] = nn.Sequential(
                conv_norm_relu(n_in, block.five_reduce, 1),
                conv_norm_relu(block.five_reduce, block.five, 5, stride=block.stride),
            )
        pooled = [pool(block.pool, block.stride)]
        if block.projection:
            pooled.append(conv_norm_relu(n_in, block.projection, 1))
        self.branches["pool"] = nn.Sequential(*pooled)
        self.n_out = block.one + block.three + with_five * block.five + (block.projection or n_in)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, C, H, W) -> (N, n_out, H / stride, W / stride)."""
        return torch.cat([branch(x) for branch in self.branches.values()], 1)


class Inception(nn.Module):
    """Pictures (N, 3, H, W) in [-1, 1] -> embeddings (N, dim), not yet normalised.

    Batch norm stands behind every convolution in place of the paper's local response normalisation.

    Args:
        dim: components of the embedding.
        input_hw: rows and columns it is made for; others that are at least 32 work too, since the last feature map
            is averaged.
        without_five: names of the blocks whose 5x5 branch is left out.
    """

    def __init__(
        self,
        *,
        dim: int = 128,
        input_hw: tuple[int, int],
        without_five: frozenset[str] = frozenset(),
    ) -> None:
        super().__init__()
        self.input_hw = input_hw
        self.stem = nn.Sequential(
            conv_norm_relu(3, 64, 7, stride=2),
            pool("m", 2),
            nn.Identity(),  # here and below the paper normalises; names of weights count the place
            conv_norm_relu(64, 64, 1),
            conv_norm_relu(64, 192, 3),
            nn.Identity(),
            pool("m", 2),
        )
        self.blocks = nn.Sequential()
        width = 192
        for block in BLOCKS:
            mixed = Mixed(width, block, with_five=block.name not in without_five)
            self.blocks.add_module(block.name, mixed)
            width = mixed.n_out
        self.embedding = FloatLinear(width, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, 3, H, W) -> (N, dim)."""
        return self.embedding(self.blocks(self.stem(x)).mean((2, 3)))
