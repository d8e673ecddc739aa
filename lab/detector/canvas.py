"""A training picture in the making: sources drawn into it, and the labels that follow their pixels.

Labels go through scale, rotation and mirroring with their picture; a face that a cut leaves half, or that ends up too
small, becomes a region where nothing is trained.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.detector.labels import Labels, Source

MIRRORED = [1, 0, 2, 4, 3]
MAX_ENLARGEMENT = 3.0
MIN_FACE_PX = 5.0  # geometric mean of a box's sides below which nothing is trained
THUMBNAIL_PX = 112

Region = tuple[int, int, int, int]
Matrix = NDArray[np.float64]


class Canvas:
    """A picture being made, with the labels so far.

    Args:
        image: RGB, drawn over.
        rng: source of all chance.
        max_rotation_deg: limit of the usual rotation of a source; one in ten may turn twice as far.
    """

    def __init__(
        self, image: Image.Image, rng: np.random.Generator, *, max_rotation_deg: float = 30.0
    ) -> None:
        self.image, self.rng, self.max_rotation_deg = image, rng, max_rotation_deg
        self._parts: list[Labels] = []

    @property
    def labels(self) -> Labels:
        """Of all that was drawn."""
        return Labels.join(self._parts)

    def place(self, source: Source, region: Region, face_px: float) -> None:
        """Draw ``source`` into ``region`` so that one of its faces is ``face_px`` large and well inside."""
        left, top, right, bottom = region
        size = np.array([right - left, bottom - top], np.float32)
        box = self._one_of(source.labels.boxes_xyxy[source.labels.is_face])
        scale = min(face_px / max(_side(box), 1.0), MAX_ENLARGEMENT)
        slack = np.maximum(size - 0.8 * (box[2:] - box[:2]) * scale, 0)
        target = size / 2 + self.rng.uniform(-0.5, 0.5, 2) * slack
        self._draw(source, region, self._affine(box, target, scale))

    def show(self, source: Source, scale: float) -> None:
        """Draw ``source`` over all at ``scale``, around one of its labels, or anywhere if it has none."""
        size = np.array(self.image.size, np.float32)
        boxes = source.labels.boxes_xyxy
        box = self._one_of(boxes if len(boxes) else np.array([[0, 0, *source.image.size]], np.float32))
        target = size / 2 + self.rng.uniform(-0.5, 0.5, 2) * size
        matrix = self._affine(box, target, scale)
        self._draw(source, (0, 0, *self.image.size), _filled(matrix, source.image.size, size))

    def paste_soft(self, thumbnail: Source, face_px: float) -> None:
        """Paste one aligned face through a soft ellipse, where no label is yet."""
        box = thumbnail.labels.boxes_xyxy[0]
        scale = face_px / _side(box)
        side = max(round(THUMBNAIL_PX * scale * 1.1), 8)
        room = self.image.width - side
        if room <= 0:
            return
        left, top = int(self.rng.integers(0, room)), int(self.rng.integers(0, room))
        region = (left, top, left + side, top + side)
        taken = self.labels.boxes_xyxy
        if (np.minimum(taken[:, 2:], region[2:]) > np.maximum(taken[:, :2], region[:2])).all(1).any():
            return
        target = np.full(2, side / 2) + self.rng.uniform(-0.04, 0.04, 2) * side
        self._draw(thumbnail, region, self._affine(box, target, scale), mask=SOFT_ELLIPSE)

    def _one_of(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        return boxes[int(self.rng.integers(len(boxes)))]

    def _affine(self, box: NDArray[np.float32], target: NDArray[np.float64], scale: float) -> Matrix:
        """2x3 matrix from source to region: the box's centre goes to ``target``; turned, perhaps mirrored."""
        rng = self.rng
        limit = self.max_rotation_deg * (2 if rng.random() < 0.1 else 1)
        angle = np.deg2rad(np.clip(rng.normal(0, self.max_rotation_deg / 2), -limit, limit))
        if rng.random() < 0.35:
            angle = 0.0
        stretch = np.exp(rng.normal(0, 0.05, 2))
        mirror = -1.0 if rng.random() < 0.5 else 1.0
        cos, sin = np.cos(angle), np.sin(angle)
        linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([mirror * stretch[0], stretch[1]]) * scale
        centre = (box[:2] + box[2:]) / 2
        return np.concatenate([linear, (target - linear @ centre)[:, None]], 1)

    def _draw(
        self, source: Source, region: Region, matrix: Matrix, *, mask: Image.Image | None = None
    ) -> None:
        left, top, right, bottom = region
        size = (right - left, bottom - top)
        layers = [source.image, mask or Image.new("L", source.image.size, 255)]
        # Halved as often as the scale allows, so that sampling does not alias.
        scale, factor = float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))), 1
        while scale * factor * 2 <= 1.2:
            factor *= 2
        if factor > 1:
            layers = [layer.reduce(factor) for layer in layers]
        inverse = _inverse(matrix @ np.diag([factor, factor, 1]))
        patch, cover = (
            layer.transform(size, Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR)
            for layer in layers
        )
        self.image.paste(patch, (left, top), cover)
        self._parts.append(self._moved(source.labels, matrix, region))

    def _moved(self, labels: Labels, matrix: Matrix, region: Region) -> Labels:
        """Labels under ``matrix``, cut to the region: what is outside goes, what is half outside is not trained.

        A face is an ellipse, so that turning keeps its size.
        """
        linear, shift = matrix[:, :2], matrix[:, 2]
        boxes, landmarks = labels.boxes_xyxy, labels.landmarks_xy @ linear.T + shift
        centre = (boxes[:, :2] + boxes[:, 2:]) / 2 @ linear.T + shift
        half = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ (linear**2).T)
        boxes = np.concatenate([centre - half, centre + half], 1).astype(np.float32)
        if np.linalg.det(linear) < 0:
            landmarks = landmarks[:, MIRRORED]
        offset = np.array(region[:2], np.float32)
        clipped = np.clip(boxes, 0, np.tile(np.array(region[2:], np.float32) - offset, 2))
        areas, seen = (np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (boxes, clipped))
        visible = seen / np.maximum(areas, 1e-6)
        is_face = labels.is_face & (visible >= 0.6) & (np.sqrt(seen) >= MIN_FACE_PX)
        kept = visible > 0.1
        return Labels(
            clipped[kept] + np.tile(offset, 2), landmarks[kept].astype(np.float32) + offset, is_face[kept]
        )


def _side(box: NDArray[np.float32]) -> float:
    """Geometric mean of a box's sides."""
    return float(np.sqrt(np.prod(box[2:] - box[:2])))


def _filled(matrix: Matrix, source_wh: tuple[int, int], size_wh: NDArray[np.float32]) -> Matrix:
    """``matrix`` shifted so that the picture covers as much of the canvas as it can."""
    corners = np.array([(0, 0), (source_wh[0], 0), (0, source_wh[1]), source_wh], np.float64)
    moved = corners @ matrix[:, :2].T + matrix[:, 2]
    low, high = moved.min(0), moved.max(0)
    room = size_wh - (high - low)  # negative: the picture is larger than the canvas
    shift = np.clip(low, np.minimum(room, 0), np.maximum(room, 0)) - low
    return np.concatenate([matrix[:, :2], (matrix[:, 2] + shift)[:, None]], 1)


def _inverse(matrix: Matrix) -> tuple[float, ...]:
    linear = np.linalg.inv(matrix[:, :2])
    # Pillow's transform works at pixel corners, labels are at pixel centres.
    shift = 0.5 - linear @ (matrix[:, 2] + 0.5)
    return (linear[0, 0], linear[0, 1], shift[0], linear[1, 0], linear[1, 1], shift[1])


def _soft_ellipse() -> Image.Image:
    """Of a thumbnail: 255 inside the face, falling to 0 within the picture."""
    y, x = np.mgrid[:THUMBNAIL_PX, :THUMBNAIL_PX]
    distance = np.sqrt(((x - 56) / 54) ** 2 + ((y - 56) / 60) ** 2)
    return Image.fromarray((np.clip((1.0 - distance) / 0.18, 0, 1) * 255).astype(np.uint8))


SOFT_ELLIPSE = _soft_ellipse()
