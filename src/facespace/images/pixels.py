"""Decoded pixels of any mode to upright RGB."""

from math import ceil

import numpy as np
from PIL import Image

__all__ = ["LARGE_PIXELS", "MIN_IS_WHITE", "eight_bit", "shrink", "to_rgb", "turn"]

# What makes a stored picture upright, by its orientation (EXIF 2.32, tag 0x0112).
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
# In an image's `info` where its least value is white though the decoder has not turned it round.
MIN_IS_WHITE = "facespace_min_is_white"
ROWS_AT_ONCE = 256
# Pictures above this take hundreds of megabytes each.
LARGE_PIXELS = 40_000_000


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """Only the pixels: Pillow's `exif_transpose` writes the tags anew, and refuses the picture for one it cannot."""
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def shrink(image: Image.Image, longest_side_px: int | None) -> Image.Image:
    """To this longest side if larger."""
    if longest_side_px is None or max(image.size) <= longest_side_px:
        return image
    factor = longest_side_px / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    if image.width * image.height > LARGE_PIXELS and factor <= 0.25:
        image = _averaged(image, int(0.5 / factor))
    return eight_bit(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _averaged(image: Image.Image, side: int) -> Image.Image:
    """Squares of that side as one pixel, some rows at a time: as a whole, other modes take several times more."""
    image = eight_bit(image) if _is_deep(image) else image
    rows = side * ceil(ROWS_AT_ONCE / side)
    parts = [
        eight_bit(image.crop((0, top, image.width, min(top + rows, image.height)))).reduce(side)
        for top in range(0, image.height, rows)
    ]
    whole = Image.new(parts[0].mode, (parts[0].width, sum(part.height for part in parts)))
    for i, part in enumerate(parts):
        whole.paste(part, (0, i * rows // side))
    return whole


def to_rgb(image: Image.Image) -> Image.Image:
    """RGB, transparency on white."""
    image = eight_bit(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image if image.mode == "RGB" else image.convert("RGB")


def eight_bit(image: Image.Image) -> Image.Image:
    """Deep greyscale pictures scaled to eight bits, which `convert` alone would clip; palettes made plain."""
    if image.mode in ("P", "1"):
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    if not _is_deep(image):
        return image
    white = _white(image)
    scaled = np.empty((image.height, image.width), np.uint8)
    for top in range(0, image.height, ROWS_AT_ONCE):  # large pictures would take four times their memory
        rows = image.crop((0, top, image.width, min(top + ROWS_AT_ONCE, image.height)))
        values = np.clip(np.nan_to_num(np.asarray(rows, np.float32), nan=0.0), 0, white)
        scaled[top : top + rows.height] = values * (255.0 / white) + 0.5
    return Image.fromarray(255 - scaled if image.info.get(MIN_IS_WHITE) else scaled)


def _is_deep(image: Image.Image) -> bool:
    """Whether its values are of more than eight bits."""
    return image.mode.startswith("I") or image.mode == "F"


def _white(image: Image.Image) -> float:
    """The value of white: that of the kind of numbers, or the largest one there is where that is beyond 16 bits."""
    if image.mode.startswith("I;16"):
        return 65535.0
    values = np.asarray(image)
    largest = float(values.max(initial=0, where=np.isfinite(values)))
    if image.mode == "F" and largest <= 1.0:
        return 1.0
    return 255.0 if largest <= 255 else max(65535.0, largest)
