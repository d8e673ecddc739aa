"""The detector's network: a small fully convolutional net with a top-down path, in the class of YuNet.

Plain 3x3 convolutions with ReLU, channels in multiples of 16: what CPU runtimes do best. Sources: Wu et al.,
"YuNet: a tiny millisecond-level face detector" (2023) for the class of size and cost; Lin et al., "Feature
pyramid networks" (2017) for the top-down path; He et al. (2016) for the residual sums.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

OUTPUTS = 15  # score, box (4), landmarks (10)
# Channels of the stem, at strides 4, 8, 16 and 32, and of the heads.
WIDTHS = (16, 32, 64, 96, 96, 64)
# Residual units at strides 8, 16 and 32.
UNITS = (2, 3, 3)


class ConvUnit(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, channels_in: int, channels_out: int, *, size: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, size, stride, size // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(channels_out, momentum=0.03)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class ResidualUnit(nn.Module):
    """x + ConvUnit(x): one convolution, so that no activation after the sum is needed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.unit = ConvUnit(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.unit(x)


def _stage(channels_in: int, channels_out: int, n_units: int) -> nn.Sequential:
    """Half the resolution, then residual units."""
    units = (ResidualUnit(channels_out) for _ in range(n_units))
    return nn.Sequential(ConvUnit(channels_in, channels_out, stride=2), *units)


class DetectorNetwork(nn.Module):
    """Faces in a picture.

    Takes float RGB values 0..255, shape (B, 3, H, W), H and W multiples of 32; gives one map for each stride
    s, shape (B, 15, H/s, W/s): the score's logit, the box as (dx, dy, log w, log h) and five landmarks as
    offsets from the box centre in box sides (see targets.decode).
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS, units: tuple[int, ...] = UNITS) -> None:
        super().__init__()
        self.widths, self.units, self.pixel_scale = widths, units, 1 / 255
        stem, at4, at8, at16, at32, heads = widths
        self.stem = nn.Sequential(ConvUnit(3, stem, stride=2), ConvUnit(stem, at4, stride=2))
        self.stage8 = _stage(at4, at8, units[0])
        self.stage16 = _stage(at8, at16, units[1])
        self.stage32 = _stage(at16, at32, units[2])
        self.lateral = nn.ModuleList(ConvUnit(width, heads, size=1) for width in (at8, at16, at32))
        self.smooth = nn.ModuleList(ConvUnit(heads, heads) for _ in range(3))
        self.head = nn.ModuleList(nn.Conv2d(heads, OUTPUTS, 1) for _ in range(3))
        self._initialise()

    def _initialise(self) -> None:
        for module in self.head:
            assert isinstance(module, nn.Conv2d) and module.bias is not None
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)
            with torch.no_grad():
                module.bias[0] = -4.6  # a score of 0.01 at the start, as in focal loss
                module.bias[5:] = MEAN_FACE.flatten()

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        scaled = pixels * self.pixel_scale if self.pixel_scale != 1 else pixels
        at8 = self.stage8(self.stem(scaled))
        at16 = self.stage16(at8)
        at32 = self.stage32(at16)
        top = self.lateral[2](at32)
        middle = self.lateral[1](at16) + F.interpolate(top, scale_factor=2.0, mode="nearest")
        bottom = self.lateral[0](at8) + F.interpolate(middle, scale_factor=2.0, mode="nearest")
        maps = (bottom, middle, top)
        return tuple(head(smooth(x)) for head, smooth, x in zip(self.head, self.smooth, maps, strict=True))


# Where the landmarks of the mean upright face stand: offsets from the box centre, in box sides.
MEAN_FACE = torch.tensor(
    [[-0.22, -0.11], [0.22, -0.11], [0.0, 0.10], [-0.18, 0.27], [0.18, 0.27]], dtype=torch.float32
)


def fold_norms(network: DetectorNetwork) -> DetectorNetwork:
    """Fold all batch norms and the scaling of pixels into the convolutions, in place; it then only infers."""
    network.eval()
    for module in network.modules():
        if isinstance(module, ConvUnit) and isinstance(module.norm, nn.BatchNorm2d):
            module.conv = torch.nn.utils.fuse_conv_bn_eval(module.conv, module.norm)
            module.norm = nn.Identity()
    first = network.stem[0]
    assert isinstance(first, ConvUnit)
    with torch.no_grad():
        first.conv.weight *= network.pixel_scale
    network.pixel_scale = 1.0
    return network
