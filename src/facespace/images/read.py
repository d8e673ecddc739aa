"""Any picture file to upright RGB uint8 pixels, or an error that says why not."""

import dataclasses
import io
import mmap
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from facespace.errors import ImageError, MissingExtraError
from facespace.images.containers import bare, beside_pixels, kind_of
from facespace.images.exif import Exif, exif_of, tiff_entries

__all__ = ["MAX_PIXELS", "Picture", "decode_image", "read_bytes", "read_exif", "read_image", "read_tiff_size"]

# Above any camera's picture (a 200-megapixel phone) and below what fills a laptop's memory.
MAX_PIXELS = 256_000_000
# What makes a stored picture upright, by its orientation (EXIF 2.32, tag 0x0112).
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: uint8 RGB, shape (H, W, 3), upright, possibly at a reduced scale.
        size_hw: rows and columns of the whole upright picture.
        exif: what the file says of itself.
    """

    pixels: NDArray[np.uint8]
    size_hw: tuple[int, int]
    exif: Exif = field(default_factory=Exif)

    @property
    def scale(self) -> float:
        """Side of `pixels` over that of the whole picture, at most 1."""
        return max(self.pixels.shape[:2]) / max(self.size_hw)


def read_image(
    path: Path | str, *, longest_side_px: int | None = None, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Read the picture at ``path``; see `decode_image`.

    Raises:
        ImageError: the file cannot be read, is no picture, is damaged, or is larger than ``max_pixels``.
    """
    return decode_image(
        read_bytes(Path(path)), Path(path), longest_side_px=longest_side_px, max_pixels=max_pixels
    )


def read_exif(path: Path | str) -> Exif:
    """What the picture file at ``path`` says of itself; one that cannot be read says nothing."""
    try:
        content = read_bytes(Path(path))
    except ImageError:
        return Exif()
    if kind_of(content) != "HEIF":
        return exif_of(*beside_pixels(content))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _register_heif()
            with Image.open(io.BytesIO(content)) as image:
                return _exif_of_heif(image)
    except Exception:  # as many kinds as there are decoders
        return Exif()


def read_tiff_size(path: Path | str) -> tuple[int, int] | None:
    """Rows and columns of the upright picture of a TIFF file, by its header; None where there is none to read."""
    try:
        with Path(path).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            tags = {entry.tag: entry.number for entry in tiff_entries(content)}
    except (OSError, ValueError):
        return None
    width, height = (int(tags.get(tag) or 0) for tag in (256, 257))
    if not width or not height:
        return None
    return (width, height) if tags.get(0x0112, 1) in (5, 6, 7, 8) else (height, width)


def read_bytes(path: Path) -> bytes:
    """The file's content.

    Raises:
        ImageError: it cannot be read, or is empty.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ImageError(path, f"cannot be read: {(error.strerror or str(error)).lower()}") from error
    if not content:
        raise ImageError(path, "the file is empty")
    return content


def decode_image(
    content: bytes, path: Path, *, longest_side_px: int | None = None, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Decode a picture file's bytes: EXIF orientation applied, first frame, transparency on white.

    Args:
        content: the whole file.
        path: only named in errors; its extension decides nothing.
        longest_side_px: shrink to this longest side if larger; JPEGs are then decoded at a reduced scale,
            which is much faster. Pictures are never enlarged.
        max_pixels: larger pictures are refused before they are decoded.

    Raises:
        ImageError: no picture, damaged, of a kind that cannot be decoded, or larger than ``max_pixels``.
    """
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures and damaged tags; our own limit below is an error.
            warnings.simplefilter("ignore")
            return _decode(content, path, longest_side_px, max_pixels)
    except ImageError:
        raise
    except MissingExtraError as error:
        raise ImageError(path, str(error)) from error
    except UnidentifiedImageError as error:
        raise ImageError(path, "not a picture, whatever its name says") from error
    except Image.DecompressionBombError as error:
        raise ImageError(path, _too_large(max_pixels)) from error
    except Exception as error:  # decoders raise many kinds on damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageError(path, f"damaged or cut short: {reason}") from error


def _decode(content: bytes, path: Path, longest_side_px: int | None, max_pixels: int) -> Picture:
    kind = kind_of(content)
    exif = exif_of(*beside_pixels(content))
    if kind == "HEIF":
        _register_heif()
    if kind == "TIFF" and exif.orientation != 1:  # else Pillow turns the picture, and its size, on its own
        content = bare(content) or content
    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise ImageError(path, f"{width}x{height} is {_too_large(max_pixels)}")
        if kind == "HEIF":
            exif = _exif_of_heif(image)
        if longest_side_px:
            _draft(image, longest_side_px)
        upright = _rgb(_shrink(_turn(image, exif.orientation), longest_side_px))
        size_hw = (width, height) if exif.orientation > 4 else (height, width)
        return Picture(np.asarray(upright), size_hw, exif)


def _exif_of_heif(image: Image.Image) -> Exif:
    """As `exif_of`; decoders of HEIC have turned the picture already, and Pillow says what is left to do for AVIF."""
    exif = exif_of(image.info.get("exif"))
    return exif if image.format == "AVIF" else dataclasses.replace(exif, orientation=1)


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    """Only the pixels: Pillow's `exif_transpose` writes the tags anew, and refuses the picture for one it cannot."""
    return image.transpose(TURNS[orientation]) if orientation in TURNS else image


def _draft(image: Image.Image, longest_side_px: int) -> None:
    """Ask a JPEG decoder for the smallest of its scales (1/2, 1/4, 1/8) that is still large enough."""
    factor = longest_side_px / max(image.size)
    if factor < 1:
        image.draft(None, (int(np.ceil(image.width * factor)), int(np.ceil(image.height * factor))))


def _shrink(image: Image.Image, longest_side_px: int | None) -> Image.Image:
    if longest_side_px is None or max(image.size) <= longest_side_px:
        return image
    factor = longest_side_px / max(image.size)
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return _eight_bit(image).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _rgb(image: Image.Image) -> Image.Image:
    image = _eight_bit(image)
    if image.mode == "P":
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Deep greyscale pictures scaled to eight bits, which `convert` alone would clip; palettes made plain."""
    if image.mode in ("P", "1"):
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    if not (image.mode.startswith("I") or image.mode == "F"):
        return image
    values = np.asarray(image, np.float32)
    white = 65535.0 if image.mode.startswith("I;16") or values.max(initial=0) > 255 else 255.0
    if image.mode == "F" and values.max(initial=0) <= 1.0:
        white = 1.0
    return Image.fromarray(np.clip(values * (255.0 / white) + 0.5, 0, 255).astype(np.uint8))


def _register_heif() -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise MissingExtraError("a HEIC picture", "heif") from error
    register_heif_opener()


def _too_large(max_pixels: int) -> str:
    return f"larger than the limit of {max_pixels / 1e6:.0f} megapixels"
