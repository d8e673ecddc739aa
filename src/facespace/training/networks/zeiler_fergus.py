"""NN1: Zeiler and Fergus' network with added 1x1 convolutions (paper, Table 1).

    layer            out           kernel, stride
    conv1            110x110x64    7x7, 2
    pool1, rnorm1    55x55x64      max 3x3, 2; LRN
    conv2a, conv2    55x55x192     1x1; 3x3
    rnorm2, pool2    28x28x192     LRN; max 3x3, 2
    conv3a, conv3    28x28x384     1x1; 3x3
    pool3            14x14x384     max 3x3, 2
    conv4a, conv4    14x14x256     1x1; 3x3
    conv5a, conv5    14x14x256     1x1; 3x3
    conv6a, conv6    14x14x256     1x1; 3x3
    pool4            7x7x256       max 3x3, 2
    fc1, fc2         32x128        maxout of 2
    fc7128           128

140,006,592 weights without biases, 1,605.9M multiply-adds at 220x220, nearly all weights in fc1 and fc2.
"""

from torch import Tensor, nn

from facespace.training.networks.layers import FloatLinear, conv_norm_relu, pool

HIDDEN = 32 * 128


class Maxout(nn.Module):
    """The larger of two linear maps for each unit: (N, n_in) -> (N, n_out)."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, 2 * n_out)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, n_in) -> (N, n_out)."""
        return self.linear(x).unflatten(1, (-1, 2)).amax(2)


class ZeilerFergus(nn.Module):
    """Pictures (N, 3, H, W) in [-1, 1] -> embeddings (N, dim), not yet normalised.

    Args:
        dim: components of the embedding.
        input_hw: rows and columns; fc1 has a weight for every place of the last map, so only this size fits.
    """

    def __init__(self, *, dim: int = 128, input_hw: tuple[int, int] = (220, 220)) -> None:
        super().__init__()
        self.input_hw = input_hw

        def norm() -> nn.Module:
            return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)

        def pair(n_in: int, n_out: int) -> list[nn.Module]:
            return [
                conv_norm_relu(n_in, n_in, 1, batch_norm=False),
                conv_norm_relu(n_in, n_out, 3, batch_norm=False),
            ]

        self.features = nn.Sequential(
            conv_norm_relu(3, 64, 7, stride=2, batch_norm=False), pool("m", 2), norm(),
            *pair(64, 192), norm(), pool("m", 2),
            *pair(192, 384), pool("m", 2),
            *pair(384, 256), *pair(256, 256), *pair(256, 256), pool("m", 2),
        )  # fmt: skip
        sides = list(input_hw)
        for _ in range(5):
            sides = [-(-side // 2) for side in sides]
        self.hidden = nn.Sequential(Maxout(256 * sides[0] * sides[1], HIDDEN), Maxout(HIDDEN, HIDDEN))
        self.embedding = FloatLinear(HIDDEN, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (N, 3, H, W) -> (N, dim)."""
        return self.embedding(self.hidden(self.features(x).flatten(1)))
