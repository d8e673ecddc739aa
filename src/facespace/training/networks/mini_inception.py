"""NNS1 and NNS2, the "mini" and "tiny" Inception of the paper's section 3.3. THE LAYERS ARE OURS.

The paper gives only their input, weights and multiply-adds (NNS1: 165x165, 26M, 220M; NNS2: 140x116, 4.3M, 20M)
and no layer table; these designs meet both figures within 5 %. So few multiply-adds for so many weights mean that
most weights must be used once a picture: as in NN1 they stand in a hidden layer that sees every place of the last
map, which also lets it tell where in an aligned face a feature was seen. The blocks before it are those of NN2 in
small, cooled down quickly so that the 3x3 convolutions run on few places.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from facespace.training.networks.inception import Block, Mixed
from facespace.training.networks.layers import FloatLinear, conv_norm_relu, pool

NNS1: dict[str, Any] = {
    "input_hw": (165, 165),
    "stem": (24, 64),
    "blocks": (
        Block("3a", 48, 48, 72, 16, 24, "m", 24),
        Block("3b", 0, 64, 128, 16, 32, "m", 0, stride=2),
        Block("4a", 128, 96, 160, 24, 48, "L2", 64),
        Block("4b", 128, 96, 160, 24, 48, "L2", 64),
        Block("4c", 0, 128, 256, 32, 64, "m", 0, stride=2),
        Block("5a", 256, 160, 320, 32, 96, "L2", 128),
    ),
    "last": 384,
    "hidden": 1696,
}
NNS2: dict[str, Any] = {
    "input_hw": (140, 116),
    "stem": (12, 32),
    "blocks": (
        Block("3a", 16, 12, 24, 4, 8, "m", 8),
        Block("3b", 0, 24, 48, 8, 16, "m", 0, stride=2),
        Block("4a", 48, 32, 64, 8, 16, "L2", 24),
        Block("4b", 0, 48, 96, 12, 24, "m", 0, stride=2),
        Block("5a", 96, 64, 128, 16, 32, "L2", 48),
    ),
    "last": 160,
    "hidden": 1184,
}


class MiniInception(nn.Module):
    """Pictures (N, 3, H, W) in [-1, 1] -> embeddings (N, dim), not yet normalised.

    Args:
        dim: components of the embedding.
        input_hw: rows and columns; the hidden layer has a weight for every place of the last map.
        stem: widths of conv1 (at half the side) and of conv2 (at a quarter).
        blocks: Inception blocks, the first at an eighth of the side.
        last: width of the 1x1 convolution before the hidden layer.
        hidden: units of the hidden layer.
    """

    def __init__(
        self,
        *,
        dim: int,
        input_hw: tuple[int, int],
        stem: tuple[int, int],
        blocks: Sequence[Block],
        last: int,
        hidden: int,
    ) -> None:
        super().__init__()
        self.input_hw = input_hw
        layers = [
            conv_norm_relu(3, stem[0], 3, stride=2),
            pool("m", 2),
            conv_norm_relu(stem[0], stem[1], 3),
            pool("m", 2),
        ]
        sides = [-(-side // 8) for side in input_hw]
        width = stem[1]
        for block in blocks:
            mixed = Mixed(width, block)
            layers.append(mixed)
            width = mixed.n_out
            sides = [-(-side // block.stride) for side in sides]
        self.features = nn.Sequential(*layers, conv_norm_relu(width, last, 1))
        self.hidden = nn.Sequential(
            nn.Linear(last * sides[0] * sides[1], hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True)
        )
        self.embedding = FloatLinear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, 3, H, W) -> (N, dim)."""
        return self.embedding(self.hidden(self.features(x).flatten(1)))
