"""Frames of video files, by PyAV (the extra `video`)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError, MissingExtraError

__all__ = ["VIDEO_SUFFIXES", "read_frames"]

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".webm", ".mov", ".m4v")


def read_frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    """The frames of a video, uint8 RGB (H, W, 3), one at a time and in order.

    Raises:
        MissingExtraError: PyAV is not installed.
        DataError: the file cannot be read as a video.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(f"{path}: reading video files", "video") from error
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise DataError(f"{path}: expected a video, it has no pictures")
            for frame in container.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except (av.error.FFmpegError, OSError) as error:
        raise DataError(f"{path}: expected a video, it cannot be read: {error}") from error
