"""A drawn face as a source of training pictures for the detector."""

from pathlib import Path

import numpy as np
from PIL import Image

from lab.detector.labels import Labels, Pool, Source

POINTS = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
FACE = np.array([[50, 60, 100, 130]], np.float32)


def landmarks_of(boxes: np.ndarray) -> np.ndarray:
    return np.asarray(boxes[:, None, :2] + POINTS * (boxes[:, None, 2:] - boxes[:, None, :2]))


def drawn_source() -> Source:
    """A grey picture whose one face is a white box."""
    pixels = np.full((200, 160, 3), 128, np.uint8)
    pixels[60:130, 50:100] = 255
    return Source(Image.fromarray(pixels), Labels(FACE, landmarks_of(FACE), np.ones(1, np.bool_)))


def pools_of(folder: Path) -> dict[str, Pool]:
    """The drawn picture as one of every kind, its thumbnail and a faceless one."""
    source = drawn_source()
    source.image.save(folder / "drawn.png")
    source.image.crop((20, 40, 132, 152)).save(folder / "thumbnail.png")
    Image.new("RGB", (90, 120), (90, 120, 60)).save(folder / "faceless.png")
    moved = FACE - np.float32([20, 40, 20, 40])
    thumbnail = Labels(moved, landmarks_of(moved), np.ones(1, np.bool_))
    whole = Pool({folder / "drawn.png": source.labels})
    return {
        "crowds": whole,
        "photos": whole,
        "thumbnails": Pool({folder / "thumbnail.png": thumbnail}, uses=1.0),
        "faceless": Pool({folder / "faceless.png": Labels.join([])}),
    }
