"""How a picture is seen: changed first (paper, section 5.4), then cropped where its face was found once and for all."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

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
from facespace.images import read_image
from facespace.images.jpeg import LUMINANCE
from facespace.models import ModelSpec

# Where boxes lie in aligned faces of the template's 112 px: geometric mean of the sides, and centre. Medians over the
# 1,682 labelled faces of 40 px or more of photos/labels.jsonl.
BOX_SIDE_PX, BOX_CENTRE_XY = 93.4, (55.9, 64.0)
PICTURES_LOOKED_AT = 50
PLACEMENTS = ("model", "similarity", "box", "tight")

Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


@dataclass(frozen=True, eq=False)
class FacePlace:
    """Where the face is in a picture, in its pixels."""

    box_xyxy: NDArray[np.float32]  # shape (4,)
    landmarks_xy: NDArray[np.float32]  # shape (5, 2)
    span_px: float  # side of the square of the picture that an aligned crop shows
    found: bool  # False where a detector found none and the centre crop's place was taken

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
    """How pictures are seen."""

    # what is done to the whole picture first; None for nothing. Its repr names it in the cache.
    change: Change | None = None
    # how the face is cropped: "model" as the model's spec says, "similarity" by its five landmarks, "box" by
    # its box with scale and shift alone, so that boxes lie where they do in aligned faces, or "tight", the
    # box itself
    placement: str = "model"
    flip: bool = False  # add the embedding of the mirror image

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


@dataclass(frozen=True)
class Recompress:
    """Compress as JPEG at a quality of 1 to 95 (libjpeg's scale, colour at half resolution) and decode again."""

    quality: int

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 95:
            raise InputError(f"JPEG quality: expected 1 to 95, got {self.quality}")

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 RGB (H, W, 3) -> the same shape."""
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=self.quality, subsampling="4:2:0")
        with Image.open(file) as decoded:
            return np.asarray(decoded.convert("RGB"))


@dataclass(frozen=True)
class Resize:
    """Resize to a longest side, averaging where that is smaller and interpolating linearly where it is larger."""

    side_px: int

    def __post_init__(self) -> None:
        if self.side_px < 8:
            raise InputError(f"picture size: expected a side of 8 px or more, got {self.side_px}")

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 RGB (H, W, 3) -> (h, w, 3) with max(h, w) = side_px."""
        factor = self.side_px / max(image.shape[:2])
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(resized)


def own_px(paths: Sequence[Path]) -> int:
    """The longest side of these pictures: the median of some of them."""
    return int(np.median([max(read_image(path).pixels.shape[:2]) for path in _some(paths)]))


def jpeg_quality(paths: Sequence[Path]) -> int | None:
    """The quality at which these files were compressed, read from their tables: the median of some; None without JPEGs.

    A file that was compressed several times shows only the last one.
    """
    found = [quality for path in _some(paths) if (quality := _quality(path)) is not None]
    return int(np.median(found)) if found else None


def _some(paths: Sequence[Path]) -> Sequence[Path]:
    return paths[:: max(1, len(paths) // PICTURES_LOOKED_AT)]


def _quality(path: Path) -> int | None:
    with Image.open(path) as image:
        tables = getattr(image, "quantization", None)
    if not tables:
        return None
    # The order of the coefficients differs between versions of Pillow; their sum does not.
    total = sum(tables[0])
    return min(range(1, 101), key=lambda quality: abs(sum(_luminance(quality)) - total))


def _luminance(quality: int) -> list[int]:
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [min(max((value * scale + 50) // 100, 1), 255) for value in LUMINANCE]
