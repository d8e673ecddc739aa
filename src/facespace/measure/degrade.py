"""Pictures made worse on purpose (paper, section 5.4 and Table 4): compressed again, or resized."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.errors import InputError
from facespace.images import read_image

__all__ = ["JPEG_QUALITIES", "SIDES_PX", "Recompress", "Resize", "jpeg_quality", "own_px"]

# The rows of Table 4.
JPEG_QUALITIES = (10, 20, 30, 50, 70, 90)
SIDES_PX = (40, 80, 120, 160, 256)
PICTURES_LOOKED_AT = 50
# Luminance table of the JPEG standard (ITU-T T.81, Annex K), whose scaling libjpeg calls quality.
STANDARD_LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip


@dataclass(frozen=True)
class Recompress:
    """Compress as JPEG at a quality of 1 to 95 (libjpeg's scale, colour at half resolution) and decode again."""

    quality: int

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 95:
            raise InputError(f"JPEG quality: expected 1 to 95, got {self.quality}")

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 RGB (H, W, 3) -> the same shape."""
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=self.quality, subsampling="4:2:0")
        with Image.open(file) as decoded:
            return np.asarray(decoded.convert("RGB"))


@dataclass(frozen=True)
class Resize:
    """Resize to a longest side, averaging where that is smaller and interpolating linearly where it is larger."""

    side_px: int

    def __post_init__(self) -> None:
        if self.side_px < 8:
            raise InputError(f"picture size: expected a side of 8 px or more, got {self.side_px}")

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 RGB (H, W, 3) -> (h, w, 3) with max(h, w) = side_px."""
        factor = self.side_px / max(image.shape[:2])
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(resized)


def own_px(paths: Sequence[Path]) -> int:
    """The longest side of these pictures: the median of some of them."""
    return int(np.median([max(read_image(path).pixels.shape[:2]) for path in _some(paths)]))


def jpeg_quality(paths: Sequence[Path]) -> int | None:
    """The quality at which these files were compressed, read from their tables: the median of some; None without JPEGs.

    A file that was compressed several times shows only the last one.
    """
    found = [quality for path in _some(paths) if (quality := _quality(path)) is not None]
    return int(np.median(found)) if found else None


def _some(paths: Sequence[Path]) -> Sequence[Path]:
    return paths[:: max(1, len(paths) // PICTURES_LOOKED_AT)]


def _quality(path: Path) -> int | None:
    with Image.open(path) as image:
        tables = getattr(image, "quantization", None)
    if not tables:
        return None
    # The order of the coefficients differs between versions of Pillow; their sum does not.
    total = sum(tables[0])
    return min(range(1, 101), key=lambda quality: abs(sum(_luminance(quality)) - total))


def _luminance(quality: int) -> list[int]:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [min(max((value * scale + 50) // 100, 1), 255) for value in STANDARD_LUMINANCE]
