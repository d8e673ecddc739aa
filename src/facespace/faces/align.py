"""A face's pixels in a standard place: similarity alignment by five landmarks, or the tight crop."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.errors import InputError
from facespace.models import ModelSpec

TEMPLATE_PX = 112
# Left eye, right eye, nose, left and right mouth corner, as seen in the picture.
TEMPLATE_XY = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    np.float32,
)


def similarity_transforms(
    source_xy: NDArray[np.float32], target_xy: NDArray[np.float32]
) -> NDArray[np.float64]:
    """The scale, rotation and shift that bring each set of points closest to ``target_xy``.

    Least squares in closed form: with centred points as complex numbers s and t the rotated scale is
    sum(conj(s) t) / sum(|s|^2) (Umeyama 1991, without reflection).

    Args:
        source_xy: shape (N, K, 2).
        target_xy: shape (K, 2).

    Returns:
        shape (N, 2, 3): target = matrix[:, :2] @ source + matrix[:, 2].
    """
    source = np.asarray(source_xy, np.float64)
    target = np.asarray(target_xy, np.float64)
    s = source[..., 0] + 1j * source[..., 1]
    t = target[:, 0] + 1j * target[:, 1]
    centre_s, centre_t = s.mean(-1, keepdims=True), t.mean()
    spread = np.maximum((np.abs(s - centre_s) ** 2).sum(-1), 1e-12)
    turn = (np.conj(s - centre_s) * (t - centre_t)).sum(-1) / spread
    shift = centre_t - turn * centre_s[..., 0]
    rows = [[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]]
    return np.moveaxis(np.array(rows), -1, 0)


def align_faces(
    image: NDArray[np.uint8], landmarks_xy: NDArray[np.float32], *, size_px: int = TEMPLATE_PX
) -> NDArray[np.uint8]:
    """Faces turned, scaled and shifted so that their landmarks lie on the template; black beyond the picture.

    Args:
        image: uint8 RGB, shape (H, W, 3).
        landmarks_xy: shape (N, 5, 2), pixels of ``image``.
        size_px: side of the crops; the template grows with it.

    Returns:
        uint8, shape (N, size_px, size_px, 3).

    Raises:
        InputError: landmarks of another shape or not finite.
    """
    landmarks = np.asarray(landmarks_xy, np.float32)
    if landmarks.ndim != 3 or landmarks.shape[1:] != (5, 2) or not np.isfinite(landmarks).all():
        raise InputError(f"landmarks_xy: expected finite values of shape (N, 5, 2), got {landmarks.shape}")
    factor = size_px / TEMPLATE_PX
    target = (TEMPLATE_XY + 0.5) * factor - 0.5
    return warp(image, similarity_transforms(landmarks, target), (size_px, size_px))


def crop_faces(
    image: NDArray[np.uint8],
    boxes_xyxy: NDArray[np.float32],
    landmarks_xy: NDArray[np.float32],
    spec: ModelSpec,
) -> NDArray[np.uint8]:
    """Faces cut out as the embedder of ``spec`` wants them.

    Args:
        image: uint8 RGB, shape (H, W, 3).
        boxes_xyxy: shape (N, 4), pixels of ``image``.
        landmarks_xy: shape (N, 5, 2), likewise.
        spec: says by what they are aligned, and how large they are.

    Returns:
        uint8, shape (N, *spec.input_hw, 3).
    """
    if spec.alignment == "tight":
        return tight_crops(image, boxes_xyxy, size_hw=spec.input_hw, margin=spec.crop_margin)
    return align_faces(image, landmarks_xy, size_px=spec.input_hw[0])


def square_crops(
    image: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32], *, size_px: int, zoom_out: float = 1.7
) -> NDArray[np.uint8]:
    """Square pieces of the picture around each face, for people to look at: not turned, nothing black added.

    Args:
        image: uint8 RGB, shape (H, W, 3).
        boxes_xyxy: shape (N, 4).
        size_px: side of the crops.
        zoom_out: side of the piece over that of the box; less where the picture is too small for it.

    Returns:
        uint8, shape (N, size_px, size_px, 3).
    """
    boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
    limits = np.array(image.shape[1::-1], np.float64)
    sides = np.minimum(zoom_out * (boxes[:, 2:] - boxes[:, :2]).max(1, initial=1.0), limits.min())[:, None]
    starts = np.clip((boxes[:, :2] + boxes[:, 2:] - sides) / 2.0, -0.5, limits - sides - 0.5)
    pieces = np.hstack([starts, starts + sides]) + 0.5  # edges, counted from the picture's
    crops = np.zeros((len(boxes), size_px, size_px, 3), np.uint8)
    for crop, piece in zip(crops, pieces.tolist(), strict=True):
        crop[:] = _resized(image, piece, size_px)
    return crops


def _resized(image: NDArray[np.uint8], piece: list[float], size_px: int) -> NDArray[np.uint8]:
    """A piece of the picture (left, top, right, bottom, within it) at another size."""
    left, top = int(piece[0]), int(piece[1])
    region = Image.fromarray(
        np.ascontiguousarray(image[top : math.ceil(piece[3]), left : math.ceil(piece[2])])
    )
    box = (
        piece[0] - left,
        piece[1] - top,
        min(piece[2] - left, region.width),
        min(piece[3] - top, region.height),
    )
    size = (size_px, size_px)
    return np.asarray(region.resize(size, Image.Resampling.BILINEAR, box, reducing_gap=1.0))


def tight_crops(
    image: NDArray[np.uint8],
    boxes_xyxy: NDArray[np.float32],
    *,
    size_hw: tuple[int, int] = (TEMPLATE_PX, TEMPLATE_PX),
    margin: float = 0.0,
) -> NDArray[np.uint8]:
    """The boxes resized to ``size_hw``: scale and shift only, as in the paper (section 5: "tight crop").

    Args:
        image: uint8 RGB, shape (H, W, 3).
        boxes_xyxy: shape (N, 4).
        size_hw: rows and columns of the crops.
        margin: share of the box's side added on each side.

    Returns:
        uint8, shape (N, *size_hw, 3).
    """
    boxes = np.asarray(boxes_xyxy, np.float64).reshape(-1, 4)
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-6)
    start, sides = boxes[:, :2] - margin * sides, sides * (1 + 2 * margin)
    scale = np.array(size_hw[::-1]) / sides
    matrices = np.zeros((len(boxes), 2, 3))
    matrices[:, 0, 0], matrices[:, 1, 1] = scale[:, 0], scale[:, 1]
    # The box edge maps to the crop edge, half a pixel outside the first centre.
    matrices[:, :, 2] = -start * scale - 0.5
    return warp(image, matrices, size_hw)


def warp(
    image: NDArray[np.uint8], matrices: NDArray[np.float64], size_hw: tuple[int, int]
) -> NDArray[np.uint8]:
    """Crops of a picture, bilinear, black beyond it.

    Args:
        image: uint8 RGB, shape (H, W, 3).
        matrices: shape (N, 2, 3): crop = matrix[:, :2] @ picture + matrix[:, 2], in pixel centres.
        size_hw: rows and columns of the crops.

    Returns:
        uint8, shape (N, *size_hw, 3).
    """
    crops = np.zeros((len(matrices), *size_hw, 3), np.uint8)
    for crop, matrix in zip(crops, matrices, strict=True):
        crop[:] = _warp_one(image, matrix, size_hw)
    return crops


def _warp_one(
    image: NDArray[np.uint8], matrix: NDArray[np.float64], size_hw: tuple[int, int]
) -> NDArray[np.uint8]:
    # In plain numbers: arrays of six take longer to work with than the picture itself.
    height, width = size_hw
    (a, b, c), (d, e, f) = matrix.tolist()
    area = a * e - b * d
    # From the crop to the picture: x = xx * column + xy * row + x0, y = yx * column + yy * row + y0.
    xx, xy, yx, yy = e / area, -b / area, -d / area, a / area
    x0, y0 = -(xx * c + xy * f), -(yx * c + yy * f)
    left, right = _reach(xx * width, xy * height, x0, image.shape[1])
    top, bottom = _reach(yx * width, yy * height, y0, image.shape[0])
    if right <= left or bottom <= top:
        return np.zeros((height, width, 3), np.uint8)
    region = Image.fromarray(np.ascontiguousarray(image[top:bottom, left:right]))
    # Bilinear sampling looks at 2x2 pixels: a face much larger than its crop is averaged down first.
    factor = max(1, int(math.sqrt(abs(xx * yy - xy * yx))))
    if factor > 1:
        region = region.reduce(factor)
    xx, xy, yx, yy = xx / factor, xy / factor, yx / factor, yy / factor
    # From a crop's pixel centre to the region's, in Pillow's coordinates, whose centres lie at + 0.5.
    shift_x = (x0 - left + 0.5) / factor - (xx + xy) * 0.5
    shift_y = (y0 - top + 0.5) / factor - (yx + yy) * 0.5
    warped = region.transform(
        (width, height),
        Image.Transform.AFFINE,
        (xx, xy, shift_x, yx, yy, shift_y),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(warped)


def _reach(along: float, across: float, start: float, limit: int) -> tuple[int, int]:
    """From which pixel to which a crop reaches along one axis of the picture, with room for sampling."""
    ends = (0.0, along, across, along + across)
    low, high = math.floor(start + min(ends)) - 2, math.ceil(start + max(ends)) + 3
    return min(max(low, 0), limit), min(max(high, 0), limit)
