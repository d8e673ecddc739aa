"""Picture files to decoded images by Pillow, whatever stands beside the pixels and as far as there are any."""

import dataclasses
import importlib
import io
import random
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from math import ceil
from threading import Lock

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from facespace.errors import MissingExtraError
from facespace.images.containers import bare, is_one_scan, kind_of, n_scans, planes
from facespace.images.exif import Exif, exif_of

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
    """Only the pixels: Pillow's `exif_transpose` writes the tags again, and refuses the picture for one it cannot."""
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


# The decoders that are let near a file, by what Pillow calls them; others run programs or are hardly ever tried.
DECODERS = {
    "JPEG": "JpegImagePlugin", "PNG": "PngImagePlugin", "WEBP": "WebPImagePlugin", "TIFF": "TiffImagePlugin",
    "AVIF": "AvifImagePlugin", "BMP": "BmpImagePlugin", "GIF": "GifImagePlugin", "JPEG2000": "Jpeg2KImagePlugin",
    "PPM": "PpmImagePlugin",
}  # fmt: skip
# Large pictures are decoded one at a time.
LARGE = Lock()
# A decoder holds all of a JPEG of several scans, at six bytes a pixel, however far it reduces.
MAX_PIXELS_OF_SCANS = 128_000_000
END_MARK = b"\xff\xd9"
NO_END_MARK = "its end mark is missing"
NOISE = bytes(random.Random(0).choices(range(1, 255), k=512))
MIN_SHARE = 1 / 8
PHOTOMETRIC = 0x0106
Finish = Callable[[Image.Image], Image.Image]


class TooLargeError(Exception):
    """More pixels than are decoded; carries the reason."""

    def __init__(self, size_wh: tuple[int, int], max_pixels: int, why: str = "") -> None:
        width, height = size_wh
        super().__init__(
            f"{width}x{height}{why} is larger than the limit of {max_pixels / 1e6:.0f} megapixels"
        )


@dataclass(frozen=True)
class Opened:
    """An image in memory.

    Attributes:
        image: as it was finished, perhaps at a reduced scale.
        size_wh: of the whole picture, as stored.
        note: what is missing of a file that is cut short; None where it is whole.
    """

    image: Image.Image
    size_wh: tuple[int, int]
    note: str | None = None


Load = Callable[[bytes, Finish], Opened]


def open_header(content: bytes) -> ImageFile.ImageFile:
    """The picture before its pixels are decoded; its size is held to no limit yet.

    Raises:
        UnidentifiedImageError: no picture, or one of a kind that is not read.
        MissingExtraError: HEIC without the package that reads it.
        Exception: of many kinds, for damaged files.
    """
    if kind_of(content) == "HEIF" and b"avif" not in content[8 : content[3]]:  # its brands
        return _open_heif(content)
    for name, module in DECODERS.items():
        try:
            importlib.import_module(f"PIL.{module}")
            factory, accepts = Image.OPEN[name]
        except (ImportError, KeyError):  # an older Pillow, or one without this decoder
            continue
        if accepts is not None and accepts(content[:16]) is True:
            return factory(io.BytesIO(content), "")
    raise UnidentifiedImageError


def open_pixels(content: bytes, finish: Finish, *, longest_side_px: int | None, max_pixels: int) -> Opened:
    """Decode a picture: as it is, else without what stands beside its pixels, else as far as it goes.

    Args:
        content: the whole file.
        finish: makes what is wanted of the decoded image, while no other large one is in memory.
        longest_side_px: JPEGs are decoded at the smallest of their scales that is no smaller than this.
        max_pixels: of the image in memory; a JPEG above is decoded at the scale that fits.

    Raises:
        TooLargeError: more than ``max_pixels``, and it cannot be reduced.
        Exception: as `open_header`.
    """

    def load(content: bytes, finish: Finish) -> Opened:
        image = open_header(content)
        size_wh = image.size
        _reduce(image, content, longest_side_px, max_pixels)
        with LARGE if image.width * image.height > LARGE_PIXELS else nullcontext():
            image.load()
            _mark_white(image)
            return Opened(finish(image), size_wh)

    parts = planes(content)
    if parts is not None:  # which Pillow reads as if the three values of a pixel stood together
        colours = [load(part, eight_bit) for part in parts]
        return Opened(finish(Image.merge("RGB", [part.image for part in colours])), colours[0].size_wh)
    try:
        return load(content, finish)
    except (TooLargeError, MissingExtraError, MemoryError):
        raise
    except Exception as first:
        plain = bare(content)
        if plain is None:
            raise
        try:
            return load(plain, finish)
        except Exception:
            rest = _load_rest(plain, load) if kind_of(plain) == "JPEG" else None
            if rest is None:
                raise first from None
            return dataclasses.replace(rest, image=finish(rest.image))


def _open_heif(content: bytes) -> ImageFile.ImageFile:
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise MissingExtraError("a HEIC picture", "heif") from error
    register_heif_opener()
    factory, _ = Image.OPEN["HEIF"]
    return factory(io.BytesIO(content), "")


def _reduce(image: ImageFile.ImageFile, content: bytes, longest_side_px: int | None, max_pixels: int) -> None:
    """Ask a JPEG decoder for the smallest of its scales (1/2, 1/4, 1/8) that is still large enough."""
    width, height = image.size
    n_pixels = width * height
    factor = min(1.0, longest_side_px / max(width, height)) if longest_side_px else 1.0
    size = ceil(width * factor), ceil(height * factor)
    if kind_of(content) == "JPEG":
        most = min(max_pixels, MAX_PIXELS_OF_SCANS)
        if n_pixels > most and not is_one_scan(content):
            raise TooLargeError(image.size, most, " in several scans")
        least = next((scale for scale in (1, 2, 4, 8) if n_pixels <= max_pixels * scale**2), 8)
        size = min(size[0], width // least), min(size[1], height // least)
    if factor < 1 or n_pixels > max_pixels:
        image.draft(None, size)
    if image.width * image.height > max_pixels:
        raise TooLargeError((width, height), max_pixels)


def _mark_white(image: ImageFile.ImageFile) -> None:
    """Of TIFF files whose least value is white, Pillow turns those of eight bits round, and no others."""
    tags = getattr(image, "tag_v2", None)
    if tags is not None and tags.get(PHOTOMETRIC) == 0 and image.mode not in ("1", "L", "P"):
        image.info[MIN_IS_WHITE] = True


def _load_rest(content: bytes, load: Load) -> Opened | None:
    """A JPEG file that is cut short, as far as it goes; None where next to nothing of it is there.

    The decoder makes up what is behind an early end mark. Where noise before that mark makes another picture of it, it
    is made up; where a first scan is whole, later ones only add detail.
    """
    content = content.rstrip(b"\xff")
    try:
        opened, other = (load(content + end, lambda image: image) for end in (END_MARK, NOISE + END_MARK))
    except Exception:
        return None
    same = [np.asarray(image.convert("L")) for image in (opened.image, other.image)]
    differs = np.flatnonzero((same[0] != same[1]).any(axis=1))
    share = differs[0] / len(same[0]) if len(differs) else 1.0
    if share == 1.0:
        note = NO_END_MARK
    elif n_scans(content) > 1:
        note = "cut short: read in less detail"
    elif share >= MIN_SHARE:
        note = f"cut short: the first {share:.0%} of its rows were read"
    else:
        return None
    return dataclasses.replace(opened, note=note)


RAW_SUFFIXES = frozenset((
    ".3fr", ".ari", ".arw", ".bay", ".cap", ".cr2", ".cr3", ".crw", ".dcr", ".dcs", ".dng", ".erf", ".fff", ".gpr",
    ".iiq", ".k25", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".ptx", ".raf", ".raw", ".rw2",
    ".rwl", ".sr2", ".srf", ".srw", ".x3f",
))  # fmt: skip
# LibRaw's name of a turn to the orientation that asks for it.
ORIENTATIONS = {3: 3, 5: 8, 6: 6}


@cache
def can_read_raw() -> bool:
    """Whether the optional package is there."""
    return find_spec("rawpy") is not None


def raw_preview(content: bytes) -> tuple[bytes, Exif]:
    """The preview as a picture file of its own, and what the RAW file says of itself.

    Raises:
        MissingExtraError: the optional package is absent.
        Exception: of many kinds, for files that LibRaw cannot read.
    """
    try:
        import rawpy
    except ImportError as error:
        raise MissingExtraError("a camera RAW file", "raw") from error
    with rawpy.imread(io.BytesIO(content)) as raw:
        orientation = ORIENTATIONS.get(raw.sizes.flip, 1)
        try:
            preview = raw.extract_thumb()
            pixels = preview.data
        except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
            pixels = raw.postprocess(half_size=True, user_flip=0)
    if not isinstance(pixels, bytes):  # an array
        pixels = b"P6 %d %d 255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes()
    return pixels, Exif(orientation, exif_of(content).taken_at)
