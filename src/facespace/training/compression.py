"""What JPEG does to a picture, in torch: a batch at a time, on any device.

Colour transform, chroma at half the size, 8x8 cosine transform and the quantisation of ITU-T T.81, annex K; what is
lossless in a file is left out.
"""

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from facespace.images.jpeg import CHROMINANCE, LUMINANCE

QUALITIES = (10, 61)  # of libjpeg's scale, the last one left out
SIDE = 8
TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def compress(images: Tensor, quality: Tensor) -> Tensor:
    """Pictures as they come out of a JPEG file.

    Args:
        images: float32 in [-1, 1], shape (N, 3, H, W).
        quality: 1 to 100, shape (N,).

    Returns:
        The same shape, in [-1, 1].
    """
    to_ycc = torch.tensor(TO_YCC, device=images.device)
    ycc = torch.einsum("ck,nkhw->nchw", to_ycc, images * 127.5)
    size_hw = images.shape[2:]
    luminance = _quantised(ycc[:, :1], LUMINANCE, quality)
    small = F.avg_pool2d(ycc[:, 1:], 2, ceil_mode=True)
    chrominance = F.interpolate(_quantised(small, CHROMINANCE, quality), scale_factor=2, mode="bilinear")
    ycc = torch.cat([luminance, chrominance[:, :, : size_hw[0], : size_hw[1]]], 1)
    to_rgb = torch.linalg.inv(torch.tensor(TO_YCC)).to(images.device)
    rgb = torch.einsum("ck,nkhw->nchw", to_rgb, ycc)
    return (rgb / 127.5).clamp(-1, 1)


def _quantised(planes: Tensor, table: tuple[int, ...], quality: Tensor) -> Tensor:
    """Planes (N, C, H, W) of values in [-128, 127] after the quantisation of their blocks."""
    n, channels, height, width = planes.shape
    padded = F.pad(planes, (0, -width % SIDE, 0, -height % SIDE), mode="replicate")
    basis = _basis().to(planes.device)
    blocks = F.conv2d(padded.flatten(0, 1)[:, None], basis, stride=SIDE)
    # libjpeg's scale: 50 leaves the table as it is.
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality.float())
    steps = (torch.tensor(table, device=planes.device) * percent[:, None] / 100).round().clamp(1, 255)
    steps = steps.repeat_interleave(channels, 0)[:, :, None, None]
    back = F.conv_transpose2d((blocks / steps).round() * steps, basis, stride=SIDE)
    return back.view(n, channels, *padded.shape[2:])[:, :, :height, :width]


@cache
def _basis() -> Tensor:
    """The 64 patterns of the orthonormal cosine transform, shape (64, 1, 8, 8)."""
    at = torch.arange(SIDE)
    rows = torch.cos((2 * at[None, :] + 1) * at[:, None] * math.pi / (2 * SIDE)) * math.sqrt(2 / SIDE)
    rows[0] /= math.sqrt(2)
    return torch.einsum("ux,vy->uvxy", rows, rows).reshape(SIDE * SIDE, 1, SIDE, SIDE)
