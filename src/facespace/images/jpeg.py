"""JPEG: pixels written as it, and the quantisation tables of its standard (ITU-T T.81, Annex K), by rows."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# libjpeg's quality is the scale of these.
LUMINANCE = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)  # fmt: skip
CHROMINANCE = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *[99] * 32,
)  # fmt: skip


def to_jpeg(pixels: NDArray[np.uint8], *, quality: int = 85) -> bytes:
    """uint8 RGB pixels, shape (H, W, 3), as a JPEG file of that quality, 1 to 95."""
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "JPEG", quality=quality)
    return written.getvalue()
