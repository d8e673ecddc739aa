"""Augmentation of a batch of aligned faces, in torch alone (no torchvision): cheap enough for two cores, and without a
loop over pictures, so that a GPU need not wait.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from facespace.training.compression import QUALITIES, compress


def to_input(crops: Tensor, size_hw: tuple[int, int] | None = None) -> Tensor:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W) in [-1, 1], channels last in memory; resized if asked."""
    images = crops.permute(0, 3, 1, 2).float().sub_(127.5).div_(127.5)
    return resize_images(images, size_hw) if size_hw else images


def resize_images(images: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """Images (N, C, H, W) at another size, channels last in memory; as they are where they have it."""
    if tuple(images.shape[2:]) == tuple(size_hw):
        return images
    images = F.interpolate(images, tuple(size_hw), mode="bilinear", antialias=True)
    return images.contiguous(memory_format=torch.channels_last)


FACTORS = 4  # sizes that a batch's pictures are shrunk to


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
        images = self.degrade(self.vary(to_input(crops), generator, size_hw), generator)
        return images.contiguous(memory_format=torch.channels_last)

    def vary(self, images: Tensor, generator: torch.Generator, size_hw: tuple[int, int]) -> Tensor:
        """Pictures as good as before: moved and resized in one interpolation, and with other colours.

        Args:
            images: float32 in [-1, 1], shape (N, 3, H, W), N at least one.
            generator: as in a call.
            size_hw: of the result.
        """
        images = self._colour(self._move(images, generator, size_hw), generator)
        grey = (torch.rand(len(images), generator=generator) < self.grey).to(images.device)
        return torch.where(grey[:, None, None, None], images.mean(1, keepdim=True), images)

    def degrade(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Worse pictures: blurred, shrunk, compressed and covered; shape (N, 3, H, W), the given ones are changed."""
        images = self._blur(images, generator)
        images = self._shrink(images, generator)
        images = self._compress(images, generator)
        return self._erase(images, generator)

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
        ).to(images.device)
        grid = F.affine_grid(rows, [n, 3, *size_hw], align_corners=False)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _colour(self, images: Tensor, generator: torch.Generator) -> Tensor:
        u = torch.rand(2, len(images), 1, 1, 1, generator=generator).to(images.device)
        gain = 1 + (u[0] * 2 - 1) * self.contrast
        offset = images.mean((1, 2, 3), keepdim=True) * (1 - gain) + (u[1] * 2 - 1) * self.brightness
        return images.mul_(gain).add_(offset).clamp_(-1, 1)

    def _blur(self, images: Tensor, generator: torch.Generator) -> Tensor:
        chosen = _chosen(self.blur, len(images), generator)
        if len(chosen):
            sigma = (0.004 + 0.012 * torch.rand(len(chosen), generator=generator)) * images.shape[2]
            at = chosen.to(images.device)
            images[at] = _gaussian(images[at], sigma)
        return images

    def _shrink(self, images: Tensor, generator: torch.Generator) -> Tensor:
        size_hw = [images.shape[2], images.shape[3]]
        for chosen in _chosen(self.low_resolution, len(images), generator).chunk(FACTORS):
            if len(chosen):
                factor = float(0.25 + torch.rand((), generator=generator) * 0.25)
                at = chosen.to(images.device)
                small = F.interpolate(images[at], [int(s * factor) for s in size_hw], mode="area")
                images[at] = F.interpolate(small, size_hw, mode="bilinear")
        return images

    def _compress(self, images: Tensor, generator: torch.Generator) -> Tensor:
        chosen = _chosen(self.jpeg, len(images), generator)
        if len(chosen):
            quality = torch.randint(*QUALITIES, (len(chosen),), generator=generator)
            at = chosen.to(images.device)
            images[at] = compress(images[at], quality.to(images.device))
        return images

    def _erase(self, images: Tensor, generator: torch.Generator) -> Tensor:
        n, size_hw = len(images), torch.tensor(images.shape[2:])
        chosen = torch.rand(n, generator=generator) < self.erase
        sides = (torch.rand(n, 2, generator=generator) * size_hw / 3 + 4).int()
        first = (torch.rand(n, 2, generator=generator) * (size_hw - sides)).int()
        colour = torch.rand(n, 3, 1, 1, generator=generator) * 2 - 1
        last, device = first + sides, images.device
        inside = [
            (at >= first[:, axis, None].to(device)) & (at < last[:, axis, None].to(device))
            for axis, at in enumerate(torch.arange(side, device=device) for side in images.shape[2:])
        ]
        covered = (inside[0][:, :, None] & inside[1][:, None, :])[:, None] & chosen.to(device)[
            :, None, None, None
        ]
        return torch.where(covered, colour.to(device), images)


def _chosen(chance: float, n: int, generator: torch.Generator) -> Tensor:
    n_chosen = int(chance * n + float(torch.rand((), generator=generator)))
    return torch.randperm(n, generator=generator)[:n_chosen]


def _gaussian(images: Tensor, sigma: Tensor) -> Tensor:
    """Each of (N, 3, H, W) blurred with its own ``sigma``, shape (N,), in pixels."""
    reach = max(1, math.ceil(2.5 * float(sigma.max())))
    at = torch.arange(-reach, reach + 1)
    kernel = torch.exp(-0.5 * (at / sigma[:, None]).square())
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0).to(images)[:, None]
    n_planes = len(kernel)
    padded = F.pad(images, (reach, reach, reach, reach), mode="replicate").flatten(0, 1)[None]
    across = F.conv2d(padded, kernel[:, :, None, :], groups=n_planes)
    return F.conv2d(across, kernel[:, :, :, None], groups=n_planes).view_as(images)
