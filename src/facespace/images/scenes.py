"""Where scenes of a video begin: frames unlike the one before, and more so than frames around."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av import VideoFrame as Decoded

__all__ = ["Scenes"]

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
