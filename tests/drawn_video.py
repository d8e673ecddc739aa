"""Videos of drawn squares, for the detector and the embedder of `fakes`; without loss by default."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from fakes import COLOURS, LIKE_RED, SIDE_PX

SIZE_HW = (100, 400)


def draw_frame(squares: dict[str, float], size_hw: tuple[int, int] = SIZE_HW) -> np.ndarray:
    """A white frame with squares of these colours at these left edges."""
    image = np.full((*size_hw, 3), 255, np.uint8)
    for name, left in squares.items():
        image[20 : 20 + SIDE_PX, int(left) : int(left) + SIDE_PX] = (COLOURS | LIKE_RED)[name]
    return image


def write_video(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    rate: int = 10,
    codec: str = "libx264rgb",
    rotation: int = 0,
    times_s: Sequence[float] | None = None,
    metadata: dict[str, str] | None = None,
    pix_fmt: str | None = None,
    aspect: int = 1,
    gop: int | None = None,
) -> Path:
    """Frames as a video; ``times_s`` in place of an even rate, ``aspect`` of a pixel's width to its height."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"movflags": "use_metadata_tags"} if path.suffix in (".mp4", ".mov") else {}
    with av.open(str(path), "w", options=options) as out:
        out.metadata.update(metadata or {})
        stream = out.add_stream(codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt or ("rgb24" if codec == "libx264rgb" else "yuv420p")
        stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        if gop:
            stream.codec_context.gop_size = gop
        if codec.startswith("libx264"):
            stream.options = (
                {"crf": "0", "preset": "ultrafast"} if codec == "libx264rgb" else {"preset": "ultrafast"}
            )
        stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = round(1000 * (times_s[i] if times_s else i / rate))
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path
