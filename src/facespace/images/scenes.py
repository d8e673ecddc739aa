"""Where scenes of a video begin: frames unlike the one before, and more so than frames around."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import VideoFrame as Decoded

__all__ = ["Scenes"]

ROWS = 36
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
        if not is_cut:
            self._motion = MEMORY * self._motion + (1 - MEMORY) * change
        return is_cut


def _grey(frame: "Decoded") -> NDArray[np.int16]:
    """Some of the frame's grey values, shape (about ROWS, W): single pixels, since decoding is what may cost."""
    form = frame.format
    step = max(1, frame.height // ROWS)
    if form.is_planar and not form.is_rgb and form.components[0].bits == 8:
        plane = frame.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        return rows[: frame.height : step, : frame.width : step].astype(np.int16)
    small = frame.reformat(
        width=max(1, frame.width // step),
        height=max(1, frame.height // step),
        format="gray",
        interpolation="POINT",
    )
    return small.to_ndarray().astype(np.int16)
