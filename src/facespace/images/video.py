"""Videos: frames upright, in order and with their times, by PyAV (the extra `video`).

Only files are opened, by demuxers that read one file alone: a playlist under a video's name opens nothing.
"""

import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.errors import ImageError, MissingExtraError
from facespace.images.exif import Exif, time_of_text
from facespace.images.opening import TooLargeError, turn
from facespace.images.read import Picture, Side, is_growing
from facespace.regular_files import open_regular, unread

if TYPE_CHECKING:
    from av import VideoFrame as Decoded

VIDEO_SUFFIXES = frozenset((
    ".mp4", ".m4v", ".mov", ".qt", ".mkv", ".webm", ".avi", ".3gp", ".3g2", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv",
    ".ogv", ".flv",
))  # fmt: skip
# Seconds between frames that are looked at: people who move stay recognisable as the same, and few seconds are missed.
EVERY_S = 0.5
DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,asf,ogg,flv,gif,mpegvideo"
MAX_PIXELS = 8192 * 8192 // 2  # of a frame: an 8K video has 33 million
MAX_S = 12 * 3600
MAX_FRAMES = MAX_S * 120
# Packets take their place in the file: more of them than it has bytes are an endless loop.
BYTES_OF_PACKET = 4
MAX_ERRORS = 500  # in a row
DEFAULT_RATE = 30.0
# What makes a frame upright, as EXIF numbers it, by the signs of a, b, c, d of its display matrix.
ORIENTATIONS = {
    (1, 0, 0, 1): 1, (-1, 0, 0, 1): 2, (-1, 0, 0, -1): 3, (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5, (0, 1, -1, 0): 6, (0, -1, -1, 0): 7, (0, -1, 1, 0): 8,
}  # fmt: skip


@cache
def can_read_video() -> bool:
    """Whether the optional package is there."""
    return find_spec("av") is not None


def is_video(path: Path | str) -> bool:
    """Whether a file has a video's extension."""
    return os.path.splitext(path)[1].lower() in VIDEO_SUFFIXES  # noqa: PTH122 - text is as good


@dataclass(frozen=True)
class VideoFrame:
    """A frame of a video.

    Attributes:
        picture: upright pixels, possibly at a reduced scale.
        time_s: from the beginning of the video.
        stamp: of the file's clock, by which `Video.number` tells which frame it is.
        is_cut: another scene begins here.
    """

    picture: Picture
    time_s: float
    stamp: int
    is_cut: bool = False


class Video:
    """An open video file; use it in a `with` block, in one thread.

    Args:
        path: of the file.
        threads: of the decoder; as many as there are cores when absent.
        within: the folder that the file must lie in, links resolved; anywhere when None.

    Raises:
        MissingExtraError: PyAV is not installed.
        ImageError: the file cannot be read, or shows nothing.

    Attributes:
        exif: when it was taken.
        duration_s: as the file says; None where it does not.
        rate: mean number of frames a second, as the file says.
        content_id: Apple's identifier of a live photo, which its still has too.
        note: what is missing of a file that was read to its end, None where it is whole.
        time_s: how far it has been read.
    """

    def __init__(self, path: Path | str, *, threads: int | None = None, within: Path | None = None) -> None:
        try:
            import av
        except ImportError as error:
            raise MissingExtraError(f"{path}: reading videos", "video") from error
        self.path, self._av = Path(path), av
        self.note: str | None = None
        self.time_s = 0.0
        self._stamps = array("q")
        self._bytes = 0
        self._orientation = 1
        try:
            self._file = open_regular(self.path, within=within)
            self._size_bytes = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise ImageError(path, unread(error)) from error
        try:
            self._open(threads)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._container.close()
        self._file.close()

    def _opened(self) -> Any:
        options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "file"}
        try:
            return self._av.open(self._file, options=options, metadata_errors="replace")
        except (self._av.error.FFmpegError, OSError, ValueError) as error:
            raise ImageError(self.path, "is empty" if not self._size_bytes else _reason(error)) from error

    def _open(self, threads: int | None) -> None:
        self._container = self._opened()
        shown = [s for s in self._container.streams.video if not _is_cover(s)]
        if not shown:
            raise ImageError(self.path, "expected a video, it shows no pictures")
        self._stream: Any = shown[0]
        context = self._stream.codec_context
        if context is None:
            raise ImageError(self.path, "of a kind that is not read")
        if context.width * context.height > MAX_PIXELS:
            raise ImageError(self.path, str(TooLargeError((context.width, context.height), MAX_PIXELS)))
        context.options = {"max_pixels": str(MAX_PIXELS)}
        context.thread_count = threads or os.cpu_count() or 1
        self._stream.thread_type = "AUTO"
        metadata = self._container.metadata
        self.exif = Exif(1, _taken_at(metadata))
        self.content_id = metadata.get("com.apple.quicktime.content.identifier")
        self.rate = float(self._stream.average_rate or self._stream.guessed_rate or DEFAULT_RATE)
        self.duration_s = self._stated_duration()
        self._start_s = self._seconds(self._container.start_time)

    def _seconds(self, stamp: int | None) -> float:
        """Of the container's clock."""
        return float((stamp or 0) / self._av.time_base)

    def _stated_duration(self) -> float | None:
        if self._stream.duration and self._stream.time_base:
            seconds = float(self._stream.duration * self._stream.time_base)
        else:
            seconds = self._seconds(self._container.duration)
        return seconds if 0 < seconds < 1e7 else None

    def frames(
        self, every_s: float = EVERY_S, *, longest_side_px: Side = None, since_s: float = 0.0
    ) -> Iterator[VideoFrame]:
        """Frames in order: those that begin a scene, and else one whenever so many seconds have passed.

        A video that is damaged or cut short is read as far as it goes, and `note` then says so. Reading ends after
        twelve hours of video, and where a file gives more than it can hold.

        Args:
            every_s: 0 gives every frame.
            longest_side_px: frames are scaled down to it; a function gives it by the rows and columns of the frame.
            since_s: earlier frames are passed over, without decoding them where the file allows that.

        Raises:
            ImageError: no frame can be decoded.
        """
        if every_s > 0:
            self._stream.codec_context.skip_frame = "NONREF"
        if since_s > 0:
            self._seek(since_s)
        scenes, due, n = Scenes(), -1.0, 0
        for frame in self._decoded():
            n += 1
            self.time_s = self._time(frame, n)
            if self.time_s > MAX_S or n > MAX_FRAMES:
                self.note = f"only its first {MAX_S // 3600} hours were read"
                break
            if self.time_s < since_s - 1e-6:
                continue
            is_cut = every_s > 0 and scenes.begins(frame)
            if self.time_s >= due - 1e-6 or is_cut:
                due = self.time_s + every_s
                yield VideoFrame(self._upright(frame, longest_side_px), self.time_s, frame.pts or 0, is_cut)
        if not n:
            raise ImageError(self.path, self.note or "no picture of it can be decoded")
        self._check_end()

    def number(self, stamps: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which frames of the video these are, from 0, by the stamps of all that were read."""
        return np.searchsorted(np.unique(np.frombuffer(self._stamps, np.int64)), stamps).astype(np.int64)

    def _decoded(self) -> Iterator["Decoded"]:
        """All frames that can be decoded, bounded by what the file can hold."""
        packets, n_errors, in_a_row = self._container.demux(self._stream), 0, 0
        while in_a_row < MAX_ERRORS:
            try:
                packet = next(packets, None)
            except (self._av.error.FFmpegError, OSError) as error:
                self.note = f"cut short or damaged: {_reason(error)}"
                return
            if packet is None:
                break
            self._bytes += packet.size + BYTES_OF_PACKET
            if self._bytes > 2 * self._size_bytes + 2**20:
                self.note = "its frames repeat without end; only the first ones were read"
                return
            if packet.pts is not None:
                self._stamps.append(packet.pts)
            try:
                yield from packet.decode()
                in_a_row = 0
            except (self._av.error.FFmpegError, ValueError):
                n_errors, in_a_row = n_errors + 1, in_a_row + 1
        if n_errors:
            self.note = f"damaged: {n_errors} of its parts could not be decoded"

    def _time(self, frame: "Decoded", n: int) -> float:
        """Never before that of the frame before, whatever the file says."""
        stamp_s: float | None = frame.time  # of a frame without a stamp there is none
        if frame.pts is None or stamp_s is None:
            return self.time_s + (1 / self.rate if n > 1 else 0.0)
        return max(stamp_s - self._start_s, self.time_s if n > 1 else 0.0)

    def _seek(self, since_s: float) -> None:
        """To the last place before it from which frames can be decoded; the beginning where that is not known."""
        stamp = int((since_s + self._start_s) / self._stream.time_base)
        try:
            self._container.seek(stamp, stream=self._stream)
        except (self._av.error.FFmpegError, OSError):
            self._container.seek(0)

    def _upright(self, frame: "Decoded", side: Side) -> Picture:
        orientation = self._orientation = _orientation(frame, self._orientation)
        aspect = float(self._stream.sample_aspect_ratio or 1) or 1.0
        aspect = aspect if 1 / 4 <= aspect <= 4 else 1.0
        width, height = max(round(frame.width * aspect), 1), frame.height
        longest = side((height, width)) if callable(side) else side
        scale = min(1.0, longest / max(width, height)) if longest else 1.0
        pixels: NDArray[Any] = frame.to_ndarray(
            format="rgb24", width=ceil(width * scale), height=ceil(height * scale), interpolation="AREA"
        )
        size_hw = (width, height) if orientation > 4 else (height, width)
        if orientation != 1:
            pixels = np.asarray(turn(Image.fromarray(pixels), orientation))
        return Picture(np.ascontiguousarray(pixels), size_hw, self.exif)

    def _check_end(self) -> None:
        """A file that ends long before it says is cut short."""
        if (
            self.note is None
            and self.duration_s
            and self.duration_s - self.time_s > 1 + 0.05 * self.duration_s
        ):
            self.note = f"cut short: the first {self.time_s:.0f} of {self.duration_s:.0f} seconds were read"
        if self.note and is_growing(self.path, self._size_bytes):
            raise ImageError(self.path, "is still being written; scan again when it is whole")
        self.duration_s = self.duration_s or self.time_s


def _is_cover(stream: Any) -> bool:
    """Whether a stream is one picture, such as the cover of a film."""
    disposition = stream.disposition
    return bool(disposition & disposition.attached_pic) or bool(disposition & disposition.still_image)


def _orientation(frame: "Decoded", before: int) -> int:
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return before
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    largest = max(map(abs, (a, b, c, d)), default=0) or 1
    return ORIENTATIONS.get(tuple(round(v / largest) for v in (a, b, c, d)), 1)


def _taken_at(metadata: dict[str, str]) -> str | None:
    """By the clock of the phone where it tells, else UTC; encoders that know no time write that of an epoch."""
    for key in ("com.apple.quicktime.creationdate", "creation_time", "DATE", "date"):
        moment = time_of_text(metadata.get(key, ""))
        if moment and moment >= "1980":
            return moment
    return None


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return f"damaged, cut short or no video: {text.lower()}"


ROWS = 36
BLOCK = 3  # pixels a side whose mean is one value, since single ones change with every movement
# Mean difference of grey values, 0 to 255, between the frames of a cut, and by what factor it exceeds that of moving
# pictures before. Fades stay below: they are sampled by time.
LEAST_CHANGE, TIMES_MOTION = 12.0, 3.0
MEMORY = 0.8  # of the mean change


class Scenes:
    """Tells frame by frame whether a scene begins."""

    def __init__(self) -> None:
        self._before: NDArray[np.int16] | None = None
        self._motion = 0.0

    def begins(self, frame: "Decoded") -> bool:
        """Whether this frame begins another scene than that of the frame given before; the first one does not."""
        grey, before = _grey(frame), self._before
        self._before = grey
        if before is None or before.shape != grey.shape:
            return before is not None
        change = float(np.abs(grey - before).mean())
        is_cut = change > max(LEAST_CHANGE, TIMES_MOTION * self._motion)
        # Also after a cut: what goes on changing is motion.
        self._motion = MEMORY * self._motion + (1 - MEMORY) * change
        return is_cut


def _grey(frame: "Decoded") -> NDArray[np.int16]:
    """Some of the frame's grey values, shape (about ROWS, W): means of few pixels, since decoding is what may cost."""
    form = frame.format
    step = max(1, frame.height // (BLOCK * ROWS))
    if form.is_planar and not form.is_rgb and form.components[0].bits == 8:
        plane = frame.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return _means(rows[: frame.height : step, : frame.width : step])
    small = frame.reformat(
        width=max(1, frame.width // step),
        height=max(1, frame.height // step),
        format="gray",
        interpolation="POINT",
    )
    return _means(small.to_ndarray())


def _means(pixels: NDArray[Any]) -> NDArray[np.int16]:
    height, width = (max(side // BLOCK, 1) for side in pixels.shape)
    whole = pixels[: height * BLOCK, : width * BLOCK]
    parts = whole.reshape(height, whole.shape[0] // height, width, whole.shape[1] // width)
    return parts.mean((1, 3), dtype=np.float32).astype(np.int16)
