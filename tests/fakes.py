"""A detector and an embedder for drawn pictures, so that tests of what lies above need no trained weights.

A "face" is a square of one strong colour on white. The detector finds such squares, the embedder maps the
colour at the middle of a crop to a direction, so that equal colours are equal people.
"""

import time
from pathlib import Path

import numpy as np
from PIL import Image

from facespace.embed import Embedder
from facespace.faces.align import TEMPLATE_XY
from facespace.faces.detections import Detections
from facespace.models import ModelSpec

COLOURS = {
    "red": (220, 30, 30),
    "green": (30, 200, 40),
    "blue": (40, 50, 220),
    "ochre": (200, 150, 20),
}
LIKE_RED = {"rust": (220, 70, 30)}
SIDE_PX = 60
SPEC = ModelSpec(
    "drawn", "1", "embedder", (112, 112), dim=128, sha256="e" * 64, byte_scale=100.0,
    distances={"1e-2": 0.3, "1e-3": 0.2, "1e-4": None},
)  # fmt: skip


def draw_photo(path: Path, *names: str) -> Path:
    """A white photo with a square for each name, side by side."""
    image = np.full((100, 40 + 90 * max(1, len(names)), 3), 255, np.uint8)
    for k, name in enumerate(names):
        image[20 : 20 + SIDE_PX, 20 + 90 * k : 20 + 90 * k + SIDE_PX] = (COLOURS | LIKE_RED)[name]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


class DrawnDetector:
    spec = ModelSpec("squares", "1", "detector", (0, 0), sha256="d" * 64)

    def __init__(self, *, pause_s: float = 0.0) -> None:
        self.calls = 0
        self.pause_s = pause_s

    def detect(self, image: np.ndarray, /) -> Detections:
        self.calls += 1
        time.sleep(self.pause_s)
        columns = (image.min(2) < 100).any(0).astype(int)
        edges = np.flatnonzero(np.diff(columns, prepend=0, append=0)).reshape(-1, 2)
        boxes = [[x0, 20, x1, 80] for x0, x1 in edges if x1 - x0 > 20]
        if not boxes:
            return Detections.empty()
        landmarks = [TEMPLATE_XY / 112 * SIDE_PX + box[:2] for box in boxes]
        return Detections(np.array(boxes), np.array(landmarks), np.full(len(boxes), 0.9))


class DrawnEmbedder:
    spec = SPEC

    def embed(self, crops: np.ndarray, /) -> np.ndarray:
        rows = np.full((len(crops), 128), 1e-3, np.float32)
        rows[:, :3] = crops[:, 56, 56, :].astype(np.float32) / 255 - 0.45
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class OpenedEmbedder(DrawnEmbedder, Embedder):
    """Stands where a command opens an embedder."""

    opens = SPEC
    device = "cpu"

    def __init__(self, *_: object, **__: object) -> None:
        self.spec = self.opens
        self.path = Path("drawn")

    def embed(self, crops: np.ndarray, /, *, flip: bool = False) -> np.ndarray:
        return DrawnEmbedder.embed(self, crops)
