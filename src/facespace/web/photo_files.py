"""Photos as JPEG for pages: always decoded and encoded again, so no file leaves as it is, and looked at each time."""

import os
from pathlib import Path
from typing import BinaryIO

from facespace.errors import ImageError
from facespace.http.lines import printable
from facespace.images import Video, decode_image
from facespace.images.jpeg import to_jpeg
from facespace.regular_files import open_regular, read_regular

MAX_FILE_BYTES = 256 * 2**20
# Of what was not scanned at a larger size; decoded at a reduced scale where the format can.
MAX_PIXELS = 50_000_000


def open_shown(folder: Path, photo: str) -> BinaryIO:
    """A photo's or video's file, open to be read.

    Raises:
        ImageError: it is not there, is no regular file, or lies outside the folder.
    """
    try:
        return open_regular(folder / photo, within=folder)
    except OSError as error:
        raise _unreadable(photo, error) from error


def stamp_photo(folder: Path, photo: str) -> tuple[int, ...]:
    """What tells whether a photo's file is the same as before.

    Raises:
        ImageError: it is not there, is no regular file, or lies outside the folder.
    """
    with open_shown(folder, photo) as file:
        status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def shown_photo(folder: Path, photo: str, *, side_px: int, max_pixels: int = MAX_PIXELS) -> bytes:
    """A photo as JPEG, upright, at most ``side_px`` on its longest side.

    Args:
        folder: of the photos; the file must lie in it, links resolved.
        photo: path relative to it.
        side_px: longest side of what is shown.
        max_pixels: more are not decoded.

    Raises:
        ImageError: as of `stamp_photo`; or it is no picture, damaged, or too large.
    """
    try:
        content = read_regular(folder / photo, max_bytes=MAX_FILE_BYTES, within=folder)
    except OSError as error:
        raise _unreadable(photo, error) from error
    name = Path(printable(photo))
    return to_jpeg(decode_image(content, name, longest_side_px=side_px, max_pixels=max_pixels).pixels)


def shown_frame(folder: Path, video: str, *, time_s: float, side_px: int) -> bytes:
    """The frame of a video at that time as JPEG, upright; the first one of a video that is shorter.

    Raises:
        ImageError: as of `open_shown`; or no frame can be decoded.
        MissingExtraError: PyAV is not installed.
    """
    try:
        for since_s in (time_s, 0.0):
            with Video(folder / video, within=folder, threads=1) as opened:
                frames = opened.frames(0.0, longest_side_px=side_px, since_s=since_s)
                if (frame := next(frames, None)) is not None:
                    return to_jpeg(frame.picture.pixels)
    except ImageError as error:
        raise ImageError(printable(video), error.reason) from error
    raise ImageError(printable(video), "no picture of it can be decoded")


def _unreadable(photo: str, error: OSError) -> ImageError:
    if isinstance(error, FileNotFoundError):
        return ImageError(printable(photo), "the photo is not there; is its disk connected?")
    return ImageError(printable(photo), f"cannot be read: {error.strerror or 'not allowed'}")
