"""Augmentation of a batch of aligned faces, in torch alone (no torchvision): cheap enough for two cores."""

import io
import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

__all__ = ["Augmentation", "to_input"]


def to_input(crops: Tensor, size_hw: tuple[int, int] | None = None) -> Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W) in [-1, 1], channels last in memory; resized if asked."""
    images = crops.permute(0, 3, 1, 2).float().sub_(127.5).div_(127.5)
    if size_hw and tuple(images.shape[2:]) != tuple(size_hw):
        images = F.interpolate(images, size_hw, mode="bilinear", antialias=True)
    return images


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
        blur: chance of a Gaussian blur of 0.4 to 1.6 % of the side.
        low_resolution: chance of being shrunk to between a quarter and the half and grown again.
        jpeg: chance of being compressed at a quality of 10 to 60.
        erase: chance of a rectangle of one colour over up to a third of each side.
    """

    flip: float = 0.5
    shift: float = 0.04
    zoom: float = 0.06
    rotation_deg: float = 6.0
    brightness: float = 0.2
    contrast: float = 0.25
    grey: float = 0.1
    blur: float = 0.0
    low_resolution: float = 0.1
    jpeg: float = 0.0
    erase: float = 0.1

    def __call__(
        self, crops: Tensor, generator: torch.Generator, *, size_hw: tuple[int, int] | None = None
    ) -> Tensor:
        """Changed pictures as a network takes them.

        Args:
            crops: uint8 RGB, shape (N, H, W, 3).
            generator: on the processor, whatever the device of ``crops``; the same one gives the same pictures.
            size_hw: of the result; the crops' own when absent. Moving and resizing is one interpolation.

        Returns:
            float32 in [-1, 1], shape (N, 3, H, W), channels last in memory.
        """
        size_hw = size_hw or (crops.shape[1], crops.shape[2])
        if not len(crops):
            return torch.zeros(0, 3, *size_hw, device=crops.device)
        images = to_input(self._compress(crops, generator))
        images = self._move(images, generator, size_hw)
        images = self._colour(images, generator)
        images = self._blur(images, generator)
        images = self._shrink(images, generator)
        return self._erase(images, generator).contiguous(memory_format=torch.channels_last)

    def _compress(self, crops: Tensor, generator: torch.Generator) -> Tensor:
        if not self.jpeg:
            return crops
        chosen, crops = _chosen(self.jpeg, len(crops), generator), crops.clone()
        for i in chosen:
            quality = int(torch.randint(10, 61, (), generator=generator))
            file = io.BytesIO()
            Image.fromarray(crops[i].cpu().numpy()).save(file, "JPEG", quality=quality)
            crops[i] = torch.from_numpy(np.array(Image.open(file)))
        return crops

    def _move(self, images: Tensor, generator: torch.Generator, size_hw: tuple[int, int]) -> Tensor:
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
        grid = F.affine_grid(rows, [n, 3, *size_hw], align_corners=False).to(images.device)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _colour(self, images: Tensor, generator: torch.Generator) -> Tensor:
        u = torch.rand(3, len(images), 1, 1, 1, generator=generator).to(images.device)
        gain = 1 + (u[0] * 2 - 1) * self.contrast
        offset = images.mean((1, 2, 3), keepdim=True) * (1 - gain) + (u[1] * 2 - 1) * self.brightness
        images = images.mul_(gain).add_(offset).clamp_(-1, 1)
        grey = (u[2].flatten() < self.grey).nonzero()[:, 0]
        images[grey] = images[grey].mean(1, keepdim=True).expand(-1, 3, -1, -1)
        return images

    def _blur(self, images: Tensor, generator: torch.Generator) -> Tensor:
        for i in _chosen(self.blur, len(images), generator):
            sigma = float(0.004 + 0.012 * torch.rand((), generator=generator)) * images.shape[2]
            images[i] = _gaussian(images[i], sigma)
        return images

    def _shrink(self, images: Tensor, generator: torch.Generator) -> Tensor:
        chosen = _chosen(self.low_resolution, len(images), generator)
        if len(chosen):
            factor = float(0.25 + torch.rand((), generator=generator) * 0.25)
            size_hw = [images.shape[2], images.shape[3]]
            small = F.interpolate(images[chosen], [int(s * factor) for s in size_hw], mode="area")
            images[chosen] = F.interpolate(small, size_hw, mode="bilinear")
        return images

    def _erase(self, images: Tensor, generator: torch.Generator) -> Tensor:
        size_hw = torch.tensor(images.shape[2:])
        for i in _chosen(self.erase, len(images), generator):
            h, w = (torch.rand(2, generator=generator) * size_hw / 3 + 4).int().tolist()
            top, left = (torch.rand(2, generator=generator) * (size_hw - torch.tensor([h, w]))).int().tolist()
            colour = torch.rand(3, 1, 1, generator=generator).to(images.device) * 2 - 1
            images[i, :, top : top + h, left : left + w] = colour
        return images


def _chosen(chance: float, n: int, generator: torch.Generator) -> list[int]:
    chosen: list[int] = (torch.rand(n, generator=generator) < chance).nonzero()[:, 0].tolist()
    return chosen


def _gaussian(image: Tensor, sigma: float) -> Tensor:
    reach = max(1, math.ceil(2.5 * sigma))
    at = torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (at / sigma).square())
    kernel = (kernel / kernel.sum()).expand(3, 1, -1)
    padded = F.pad(image[None], (reach, reach, reach, reach), mode="replicate")
    across = F.conv2d(padded, kernel[:, :, None, :], groups=3)
    return F.conv2d(across, kernel[:, :, :, None], groups=3)[0]
