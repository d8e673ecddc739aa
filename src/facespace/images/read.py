"""Any picture file to upright RGB uint8 pixels, or an error that says why not."""

import dataclasses
import mmap
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from facespace.errors import ImageError, MissingExtraError
from facespace.images.addresses import Address
from facespace.images.containers import bare, beside_pixels, kind_of, motion_offset
from facespace.images.exif import Exif, exif_of, tiff_entries
from facespace.images.opening import (
    NO_END_MARK,
    RAW_SUFFIXES,
    TooLargeError,
    open_header,
    open_pixels,
    raw_preview,
    shrink,
    to_rgb,
    turn,
)
from facespace.regular_files import open_regular, read_regular, unread

# Above any camera's picture (a 200-megapixel phone) and below what fills a laptop's memory.
MAX_PIXELS = 256_000_000
MAX_BYTES = 2**30
# A file that is being written or copied changes within this time.
QUIET_S = 2.0
UNKNOWN_MODE = "unknown pixel mode"  # as Pillow says it


class _Quiet:
    """No warnings while any thread is inside; `warnings.catch_warnings` alone leaves threads each other's filters."""

    def __init__(self) -> None:
        self._lock, self._n_inside = Lock(), 0
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._n_inside == 0:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.simplefilter("ignore")
            self._n_inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._caught.__exit__(None, None, None)


QUIET = _Quiet()


# A longest side in pixels, or what gives it for a picture of so many rows and columns; None for that of the picture.
Side = int | Callable[[tuple[int, int]], int] | None


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: uint8 RGB, shape (H, W, 3), upright, possibly at a reduced scale.
        size_hw: rows and columns of the whole upright picture.
        exif: what the file says of itself.
        note: what is missing of a file that is cut short; None where it is whole.
    """

    pixels: NDArray[np.uint8]
    size_hw: tuple[int, int]
    exif: Exif = field(default_factory=Exif)
    note: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all pixels are there."""
        return self.note in (None, NO_END_MARK)

    @property
    def scale(self) -> float:
        """Side of `pixels` over that of the whole picture, at most 1."""
        return max(self.pixels.shape[:2]) / max(self.size_hw)


def read_image(path: Path | str, *, longest_side_px: Side = None, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read the picture at ``path``; see `decode_image`.

    Raises:
        ImageError: the file cannot be read, is no picture, is damaged, or is larger than ``max_pixels``.
    """
    path = path if isinstance(path, Path) else Path(path)
    return decode_image(read_bytes(path), path, longest_side_px=longest_side_px, max_pixels=max_pixels)


def read_photo(path: Path, *, longest_side_px: Side = None) -> tuple[bytes, Picture]:
    """The content of a photo, and its picture; a file that is cut short is not taken while it is still growing.

    Raises:
        ImageError: as `read_image`; or the file is being written.
    """
    content = read_bytes(path)
    picture = decode_image(content, path, longest_side_px=longest_side_px)
    if picture.note and is_growing(path, len(content)):
        raise ImageError(path, "is still being written; scan again when it is whole")
    return content, picture


def is_growing(path: Path, size: int) -> bool:
    """Whether a file changes between two looks; only one that was changed a moment ago is looked at again."""
    if isinstance(path, Address):
        return False  # an object is there as a whole or not at all
    try:
        before = path.stat()
        age_s = abs(time.time() - before.st_mtime)
        if age_s < QUIET_S:
            time.sleep(QUIET_S - age_s)
        after = path.stat()
    except OSError:
        return False
    return (size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns)


@contextmanager
def _mapped(path: Path | str) -> Iterator[mmap.mmap]:
    """A file that is left on the disk."""
    with open_regular(Path(path)) as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        yield content


def read_exif(path: Path | str) -> Exif:
    """What the picture file at ``path`` says of itself; one that cannot be read says nothing."""
    try:
        with _mapped(path) as content:
            if kind_of(content) != "HEIF":
                exif = exif_of(*beside_pixels(content))
            else:
                with QUIET:
                    exif = _exif_of_heif(open_header(content[:]))
            return dataclasses.replace(exif, motion_offset=motion_offset(content))
    except Exception:  # as many kinds as there are decoders
        return Exif()


def read_tiff_size(path: Path | str) -> tuple[int, int] | None:
    """Rows and columns of the upright picture of a TIFF file, by its header; None where there is none to read."""
    try:
        with _mapped(path) as content:
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
        ImageError: it cannot be read, is empty, no regular file, or larger than a gigabyte.
    """
    try:
        content = (
            path.read(MAX_BYTES) if isinstance(path, Address) else read_regular(path, max_bytes=MAX_BYTES)
        )
    except OSError as error:
        raise ImageError(path, unread(error)) from error
    if not content:
        raise ImageError(path, "the file is empty")
    return content


def decode_image(
    content: bytes, path: Path, *, longest_side_px: Side = None, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Decode a picture file's bytes: EXIF orientation applied, first frame, transparency on white.

    Args:
        content: the whole file.
        path: named in errors; its extension decides nothing but whether it is a camera RAW file.
        longest_side_px: shrink to this longest side if larger; JPEGs are then decoded at a reduced scale,
            which is much faster. Pictures are never enlarged. A function gives the side for a picture of so many rows
            and columns, whichever way it is turned.
        max_pixels: larger pictures are refused before they are decoded, or reduced while they are where the decoder
            can do that.

    Raises:
        ImageError: no picture, damaged, of a kind that cannot be decoded, or larger than ``max_pixels``.
    """
    try:
        with QUIET:  # Pillow warns of large pictures and damaged tags; our own limit is an error
            if path.suffix.lower() in RAW_SUFFIXES:
                return _decode(*_preview(content), longest_side_px, max_pixels)
            return _decode(content, None, longest_side_px, max_pixels)
    except MissingExtraError as error:
        raise ImageError(path, str(error)) from error
    except MemoryError as error:
        raise ImageError(path, "too large for the memory of this machine") from error
    except UnidentifiedImageError as error:
        raise ImageError(path, _unidentified(content)) from error
    except TooLargeError as error:
        raise ImageError(path, str(error)) from error
    except Exception as error:  # decoders raise many kinds on damaged files
        if str(error) == UNKNOWN_MODE:
            raise ImageError(path, _unidentified(content)) from error
        raise ImageError(path, f"damaged or cut short: {_reason(error)}") from error


def _preview(content: bytes) -> tuple[bytes, Exif | None]:
    """Of a camera RAW file; other files of such a name, as they are."""
    try:
        return raw_preview(content)
    except MissingExtraError:
        raise
    except Exception:  # LibRaw's
        return content, None


def _decode(content: bytes, known: Exif | None, longest_side_px: Side, max_pixels: int) -> Picture:
    kind, exif = kind_of(content), known or exif_of(*beside_pixels(content))
    if kind == "TIFF" and exif.orientation != 1:  # else Pillow turns the picture, and its size, on its own
        content = bare(content) or content

    def upright(image: Image.Image) -> Image.Image:
        nonlocal exif
        if kind == "HEIF":
            exif = _exif_of_heif(image)
        return to_rgb(shrink(turn(image, exif.orientation), side))

    side = _side_px(longest_side_px, content)
    opened = open_pixels(content, upright, longest_side_px=side, max_pixels=max_pixels)
    width, height = opened.size_wh
    size_hw = (width, height) if exif.orientation > 4 else (height, width)
    exif = dataclasses.replace(exif, motion_offset=motion_offset(content))
    return Picture(np.asarray(opened.image), size_hw, exif, opened.note)


def _side_px(asked: Side, content: bytes) -> int | None:
    """The longest side that is asked for, by the size that the file's header tells."""
    if not callable(asked):
        return asked
    try:
        width, height = open_header(content).size
    except Exception:  # the decoder says what is wrong with it
        width, height = 1, 1
    return asked((height, width))


def _exif_of_heif(image: Image.Image) -> Exif:
    """As `exif_of`; decoders of HEIC have turned the picture already, and Pillow says what is left to do for AVIF."""
    exif = exif_of(image.info.get("exif"))
    return exif if image.format == "AVIF" else dataclasses.replace(exif, orientation=1)


def _unidentified(content: bytes) -> str:
    kind = kind_of(content)
    return (
        f"a {kind} file with pixels of a kind that is not read"
        if kind
        else "not a picture, whatever its name says"
    )


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
