"""A training picture in the making: sources drawn into it, and the labels that follow their pixels.

A sample's labels go through scale, rotation and mirroring with it; a face that a cut leaves half, or that
ends up too small, becomes a region where nothing is trained.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MIRRORED = [1, 0, 2, 4, 3]
MAX_ENLARGEMENT = 3.0


@dataclass(frozen=True)
class Motion:
    """How far a source may be turned, and from which size on a face is trained.

    Attributes:
        max_rotation_deg: limit of the usual rotation; one source in ten may turn twice as far.
        min_face_px: geometric mean of a box's sides below which nothing is trained.
    """

    max_rotation_deg: float = 30.0
    min_face_px: float = 11.0


@dataclass(frozen=True)
class FaceSource:
    """A picture to cut from: its faces, and regions that may hold one (kind -1)."""

    image: Image.Image
    boxes_xyxy: NDArray[np.float32]
    landmarks_xy: NDArray[np.float32]
    kind: NDArray[np.int64]


@dataclass
class Canvas:
    """A picture being made, with the labels so far."""

    image: Image.Image
    boxes: list[NDArray[np.float32]]
    landmarks: list[NDArray[np.float32]]
    kinds: list[NDArray[np.int64]]

    @classmethod
    def blank(cls, image: Image.Image) -> "Canvas":
        return cls(image, [], [], [])

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        """All labels: boxes (N, 4), landmarks (N, 5, 2), kinds (N,)."""
        if not self.boxes:
            return np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), np.zeros(0, np.int64)
        return np.concatenate(self.boxes), np.concatenate(self.landmarks), np.concatenate(self.kinds)


def place(
    canvas: Canvas,
    source: FaceSource,
    region: tuple[int, int, int, int],
    face_px: float,
    motion: Motion,
    rng: np.random.Generator,
) -> None:
    """Draw ``source`` into ``region`` so that one of its faces is ``face_px`` large and well inside."""
    left, top, right, bottom = region
    size = np.array([right - left, bottom - top], np.float32)
    faces = np.flatnonzero(source.kind == 1)
    box = source.boxes_xyxy[faces[rng.integers(len(faces))]]
    scale = face_px / max(float(np.sqrt(np.prod(box[2:] - box[:2]))), 1.0)
    scale = min(scale, MAX_ENLARGEMENT)
    slack = np.maximum(size - 0.8 * (box[2:] - box[:2]) * scale, 0)
    # Keep as much of the region filled as the photo allows: shift the target towards the photo's own layout.
    target = size / 2 + rng.uniform(-0.5, 0.5, 2) * slack
    matrix = _affine(box, target, scale, motion, rng)
    _draw(canvas, source, region, matrix, motion)


def show(canvas: Canvas, source: FaceSource, scale: float, motion: Motion, rng: np.random.Generator) -> None:
    """Draw ``source`` over the whole canvas at ``scale``, around one of its boxes, or anywhere if it has none."""
    size = np.array(canvas.image.size, np.float32)
    places = source.boxes_xyxy if len(source.kind) else np.array([[0, 0, *source.image.size]], np.float32)
    box = places[rng.integers(len(places))]
    target = size / 2 + rng.uniform(-0.5, 0.5, 2) * size
    matrix = _affine(box, target, scale, motion, rng)
    _draw(canvas, source, (0, 0, *canvas.image.size), _filled(matrix, source.image.size, size), motion)


def _filled(
    matrix: NDArray[np.float64], source_wh: tuple[int, int], size_wh: NDArray[np.float32]
) -> NDArray[np.float64]:
    """``matrix`` shifted so that the picture covers as much of the canvas as it can."""
    corners = np.array([(0, 0), (source_wh[0], 0), (0, source_wh[1]), source_wh], np.float64)
    moved = corners @ matrix[:, :2].T + matrix[:, 2]
    low, high = moved.min(0), moved.max(0)
    room = np.minimum(size_wh - (high - low), 0)  # negative: the picture is larger than the canvas
    shift = np.where(room < 0, np.clip(low, room, 0), np.clip(low, 0, size_wh - (high - low))) - low
    return np.concatenate([matrix[:, :2], (matrix[:, 2] + shift)[:, None]], 1)


def _affine(
    box: NDArray[np.float32],
    target: NDArray[np.float64],
    scale: float,
    motion: Motion,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """2x3 matrix from source to region: the box's centre goes to ``target``; turned, perhaps mirrored."""
    limit = motion.max_rotation_deg * (2 if rng.random() < 0.1 else 1)
    angle = np.deg2rad(np.clip(rng.normal(0, motion.max_rotation_deg / 2), -limit, limit))
    if rng.random() < 0.35:
        angle = 0.0
    stretch = np.exp(rng.normal(0, 0.05, 2))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([mirror * stretch[0], stretch[1]]) * scale
    centre = (box[:2] + box[2:]) / 2
    return np.concatenate([linear, (target - linear @ centre)[:, None]], 1)


def _draw(
    canvas: Canvas,
    source: FaceSource,
    region: tuple[int, int, int, int],
    matrix: NDArray[np.float64],
    motion: Motion,
) -> None:
    left, top, right, bottom = region
    size = (right - left, bottom - top)
    image, small = _reduced(source.image, float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))))
    inverse = _inverse(matrix @ np.diag([1 / small, 1 / small, 1]))
    patch = image.transform(size, Image.Transform.AFFINE, inverse, Image.Resampling.BILINEAR)
    if not _covers(image.size, inverse, size):
        mask = Image.new("L", image.size, 255).transform(size, Image.Transform.AFFINE, inverse)
        canvas.image.paste(patch, (left, top), mask)
    else:
        canvas.image.paste(patch, (left, top))
    boxes, landmarks = _moved(source, matrix)
    boxes, landmarks, kind = _cut(boxes, landmarks, source.kind, size, motion)
    offset = np.array([left, top], np.float32)
    canvas.boxes.append(boxes + np.tile(offset, 2))
    canvas.landmarks.append(landmarks + offset)
    canvas.kinds.append(kind)


def _reduced(image: Image.Image, scale: float) -> tuple[Image.Image, float]:
    """The picture halved as often as ``scale`` allows, so that sampling it does not alias."""
    factor = 1
    while scale * factor * 2 <= 1.2:
        factor *= 2
    if factor == 1:
        return image, 1.0
    return image.reduce(factor), 1.0 / factor


def _inverse(matrix: NDArray[np.float64]) -> tuple[float, ...]:
    linear = np.linalg.inv(matrix[:, :2])
    shift = -linear @ matrix[:, 2]
    # Pillow's transform works at pixel corners, labels are at pixel centres.
    shift = shift + 0.5 - linear @ np.array([0.5, 0.5])
    return (linear[0, 0], linear[0, 1], shift[0], linear[1, 0], linear[1, 1], shift[1])


def _covers(source_wh: tuple[int, int], inverse: tuple[float, ...], size_wh: tuple[int, int]) -> bool:
    a, b, c, d, e, f = inverse
    corners = np.array([(0, 0), (size_wh[0], 0), (0, size_wh[1]), size_wh], np.float64)
    xs, ys = corners @ (a, b) + c, corners @ (d, e) + f
    return bool(
        (xs >= 0).all() and (ys >= 0).all() and (xs <= source_wh[0]).all() and (ys <= source_wh[1]).all()
    )


def _moved(
    source: FaceSource, matrix: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Boxes and landmarks under ``matrix``; a face is an ellipse, so that turning keeps its size."""
    linear, shift = matrix[:, :2], matrix[:, 2]
    boxes = source.boxes_xyxy
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 @ linear.T + shift
    half = np.sqrt(((boxes[:, 2:] - boxes[:, :2]) / 2) ** 2 @ (linear**2).T)
    landmarks = source.landmarks_xy @ linear.T + shift
    if np.linalg.det(linear) < 0:
        landmarks = landmarks[:, MIRRORED]
    return np.concatenate([centre - half, centre + half], 1).astype(np.float32), landmarks.astype(np.float32)


def _cut(
    boxes: NDArray[np.float32],
    landmarks: NDArray[np.float32],
    kind: NDArray[np.int64],
    size_wh: tuple[int, int],
    motion: Motion,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Clip to the region; drop what is outside, ignore what is half outside or too small."""
    limits = np.array([*size_wh, *size_wh], np.float32)
    clipped = np.clip(boxes, 0, limits)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    visible = np.prod(clipped[:, 2:] - clipped[:, :2], axis=1) / np.maximum(area, 1e-6)
    side = np.sqrt(np.prod(clipped[:, 2:] - clipped[:, :2], axis=1))
    kind = np.where((visible < 0.6) | (side < motion.min_face_px), -1, kind)
    keep = visible > 0.1
    return clipped[keep], landmarks[keep], kind[keep]


def paste_soft(
    canvas: Canvas, source: FaceSource, face_px: float, motion: Motion, rng: np.random.Generator
) -> None:
    """Paste one aligned face through a soft ellipse, where no label is yet."""
    box = source.boxes_xyxy[0]
    scale = face_px / float(np.sqrt(np.prod(box[2:] - box[:2])))
    side = max(round(112 * scale * 1.1), 8)
    room = canvas.image.width - side
    if room <= 0:
        return
    left, top = int(rng.integers(0, room)), int(rng.integers(0, room))
    region = (left, top, left + side, top + side)
    taken = canvas.arrays()[0]
    if (np.minimum(taken[:, 2:], region[2:]) > np.maximum(taken[:, :2], region[:2])).all(1).any():
        return
    patch = Canvas.blank(Image.new("RGB", (side, side)))
    target = np.full(2, side / 2) + rng.uniform(-0.04, 0.04, 2) * side
    matrix = _affine(box, target, scale, motion, rng)
    _draw(patch, source, (0, 0, side, side), matrix, motion)
    canvas.image.paste(patch.image, (left, top), _soft_ellipse(matrix, side))
    offset = np.array([left, top], np.float32)
    canvas.boxes.append(patch.boxes[0] + np.tile(offset, 2))
    canvas.landmarks.append(patch.landmarks[0] + offset)
    canvas.kinds.append(patch.kinds[0])


def _soft_ellipse(matrix: NDArray[np.float64], side: int) -> Image.Image:
    """255 inside the face, falling to 0 within the thumbnail."""
    inverse = np.linalg.inv(matrix[:, :2])
    grid = np.mgrid[0:side, 0:side][::-1].reshape(2, -1).T - matrix[:, 2]
    x, y = (grid @ inverse.T).T
    distance = np.sqrt(((x - 56) / 54) ** 2 + ((y - 56) / 60) ** 2)
    inside = (x > 0) & (x < 111) & (y > 0) & (y < 111)
    mask = np.clip((1.0 - distance) / 0.18, 0, 1) * inside
    return Image.fromarray((mask.reshape(side, side) * 255).astype(np.uint8))
