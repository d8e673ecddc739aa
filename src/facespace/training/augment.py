"""Augmentation of a batch of aligned faces, in torch alone (no torchvision): cheap enough for two cores."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Augmentation", "to_input"]


def to_input(crops: Tensor) -> Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W) in [-1, 1], channels last in memory."""
    return crops.permute(0, 3, 1, 2).float().sub_(127.5).div_(127.5)


@dataclass(frozen=True)
class Augmentation:
    """How far a face may be changed; each is drawn per picture.

    Attributes:
        flip: chance of a mirror image.
        shift: of the side, each way.
        zoom: relative scale, each way.
        rotation_deg: degrees, each way.
        brightness: added, in units of the [-1, 1] range.
        contrast: relative, each way.
        grey: chance of a grey picture.
        low_resolution: chance of being shrunk to between a quarter and the half and grown again.
        erase: chance of a rectangle of noise over up to a third of each side.
    """

    flip: float = 0.5
    shift: float = 0.04
    zoom: float = 0.06
    rotation_deg: float = 6.0
    brightness: float = 0.2
    contrast: float = 0.25
    grey: float = 0.1
    low_resolution: float = 0.1
    erase: float = 0.1

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """float (N, 3, H, W) in [-1, 1] -> the same shape, changed."""
        images = self._move(images, generator)
        images = self._colour(images, generator)
        images = self._blur(images, generator)
        return self._erase(images, generator)

    def _move(self, images: Tensor, generator: torch.Generator) -> Tensor:
        n = len(images)
        u = torch.rand(5, n, generator=generator) * 2 - 1
        angle = u[0] * math.radians(self.rotation_deg)
        scale = 1 + u[1] * self.zoom
        mirror = torch.where((u[4] + 1) / 2 < self.flip, -1.0, 1.0)
        cos, sin = scale * angle.cos(), scale * angle.sin()
        rows = torch.stack(
            [
                torch.stack([cos * mirror, -sin, u[2] * 2 * self.shift], 1),
                torch.stack([sin * mirror, cos, u[3] * 2 * self.shift], 1),
            ],
            1,
        )
        grid = F.affine_grid(rows, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _colour(self, images: Tensor, generator: torch.Generator) -> Tensor:
        u = torch.rand(3, len(images), 1, 1, 1, generator=generator)
        gain = 1 + (u[0] * 2 - 1) * self.contrast
        offset = images.mean((1, 2, 3), keepdim=True) * (1 - gain) + (u[1] * 2 - 1) * self.brightness
        images = images.mul_(gain).add_(offset).clamp_(-1, 1)
        grey = (u[2].flatten() < self.grey).nonzero()[:, 0]
        images[grey] = images[grey].mean(1, keepdim=True).expand(-1, 3, -1, -1)
        return images

    def _blur(self, images: Tensor, generator: torch.Generator) -> Tensor:
        chosen = (torch.rand(len(images), generator=generator) < self.low_resolution).nonzero()[:, 0]
        if len(chosen):
            side = images.shape[-1]
            small_px = int(side * (0.25 + 0.25 * torch.rand((), generator=generator).item()))
            small = F.interpolate(images[chosen], size=small_px, mode="area")
            images[chosen] = F.interpolate(small, size=side, mode="bilinear", align_corners=False)
        return images

    def _erase(self, images: Tensor, generator: torch.Generator) -> Tensor:
        chosen = (torch.rand(len(images), generator=generator) < self.erase).nonzero()[:, 0]
        side = images.shape[-1]
        for i in chosen.tolist():
            h, w = (int(x) for x in (torch.rand(2, generator=generator) * side / 3) + 4)
            y, x = (int(v) for v in torch.rand(2, generator=generator) * (side - torch.tensor([h, w])))
            images[i, :, y : y + h, x : x + w] = torch.rand(3, 1, 1, generator=generator) * 2 - 1
        return images
