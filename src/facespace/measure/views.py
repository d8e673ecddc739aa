"""How a picture is seen: changed first, then cropped where its face was found once and for all."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.errors import InputError
from facespace.faces.align import (
    TEMPLATE_PX,
    TEMPLATE_XY,
    align_faces,
    crop_faces,
    similarity_transforms,
    tight_crops,
)
from facespace.models import ModelSpec

__all__ = ["AS_IT_IS", "FacePlace", "View", "crop_face", "crop_span_px"]

# Where boxes lie in aligned faces of the template's 112 px: geometric mean of the sides, and centre. Medians over the
# 1,682 labelled faces of 40 px or more of photos/labels.jsonl.
BOX_SIDE_PX, BOX_CENTRE_XY = 93.4, (55.9, 64.0)
PLACEMENTS = ("model", "similarity", "box", "tight")

Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class FacePlace:
    """Where the face is in a picture, in its pixels.

    Attributes:
        box_xyxy: shape (4,).
        landmarks_xy: shape (5, 2).
        span_px: side of the square of the picture that an aligned crop shows.
        found: False where a detector found none and the centre crop's place was taken.
    """

    box_xyxy: NDArray[np.float32]
    landmarks_xy: NDArray[np.float32]
    span_px: float
    found: bool

    def to_array(self) -> NDArray[np.float32]:
        """float32, shape (16,)."""
        flags = np.array([self.span_px, self.found], np.float32)
        return np.concatenate([self.box_xyxy, self.landmarks_xy.ravel(), flags], dtype=np.float32)

    @classmethod
    def from_array(cls, values: NDArray[np.float32]) -> "FacePlace":
        """What `to_array` gave."""
        return cls(values[:4], values[4:14].reshape(5, 2), float(values[14]), bool(values[15]))


@dataclass(frozen=True)
class View:
    """How pictures are seen.

    Attributes:
        change: what is done to the whole picture first; None for nothing. Its repr names it in the cache.
        placement: how the face is cropped: "model" as the model's spec says, "similarity" by its five landmarks, "box"
            by its box with scale and shift alone, so that boxes lie where they do in aligned faces, or "tight", the
            box itself.
        flip: add the embedding of the mirror image.
    """

    change: Change | None = None
    placement: str = "model"
    flip: bool = False

    def __post_init__(self) -> None:
        if self.placement not in PLACEMENTS:
            raise InputError(f"placement: expected one of {', '.join(PLACEMENTS)}, got '{self.placement}'")


AS_IT_IS = View()


def crop_face(
    image: NDArray[np.uint8], place: FacePlace | None, view: View, spec: ModelSpec
) -> NDArray[np.uint8]:
    """The crop that the model sees of uint8 RGB (H, W, 3): uint8 of the spec's input size."""
    changed = view.change(image) if view.change else image
    factor = changed.shape[1] / image.shape[1]
    if place is None:
        return _resized(changed, spec.input_hw)
    box, landmarks = _scaled(place.box_xyxy, factor), _scaled(place.landmarks_xy, factor)
    if view.placement == "model":
        return crop_faces(changed, box[None], landmarks[None], spec)[0]
    if view.placement == "similarity":
        return align_faces(changed, landmarks[None], size_px=spec.input_hw[0])[0]
    region = box if view.placement == "tight" else _plain_region(box)
    return tight_crops(changed, region[None], size_hw=spec.input_hw)[0]


def crop_span_px(landmarks_xy: NDArray[np.float32]) -> float:
    """Side of the square of the picture that a crop aligned by landmarks (5, 2) shows, in the picture's pixels."""
    target = similarity_transforms(landmarks_xy[None], TEMPLATE_XY)[0]
    return float(TEMPLATE_PX / np.sqrt(abs(np.linalg.det(target[:, :2]))))


def _plain_region(box_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """The square to cut out so that the box comes to lie where boxes of aligned faces do."""
    sides = box_xyxy[2:] - box_xyxy[:2]
    pixel = np.sqrt(max(float(np.prod(sides)), 1e-6)) / BOX_SIDE_PX
    start = (box_xyxy[:2] + box_xyxy[2:]) / 2.0 - pixel * (np.array(BOX_CENTRE_XY) + 0.5)
    return np.concatenate([start, start + pixel * TEMPLATE_PX]).astype(np.float32)


def _scaled(points: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Coordinates of pixel centres in a picture resized by ``factor``."""
    return np.asarray((points + 0.5) * factor - 0.5, np.float32)


def _resized(image: NDArray[np.uint8], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    if image.shape[:2] == tuple(size_hw):
        return image
    height, width = size_hw
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
