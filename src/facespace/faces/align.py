"""A face's pixels in a standard place: similarity alignment by five landmarks, or the tight crop."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.errors import InputError
from facespace.models import ModelSpec

__all__ = [
    "TEMPLATE_XY",
    "align_faces",
    "crop_faces",
    "similarity_transforms",
    "square_crops",
    "tight_crops",
    "warp",
]

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
    return tight_crops(image, np.hstack([starts, starts + sides]), size_hw=(size_px, size_px))


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
    height, width = size_hw
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    corners = inverse @ np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
    limits = np.array(image.shape[1::-1])
    low = np.clip(np.floor(corners.min(1)).astype(int) - 2, 0, limits)
    high = np.clip(np.ceil(corners.max(1)).astype(int) + 3, 0, limits)
    if (high <= low).any():
        return np.zeros((height, width, 3), np.uint8)
    region = Image.fromarray(np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]]))
    # Bilinear sampling looks at 2x2 pixels: a face much larger than its crop is averaged down first.
    factor = max(1, int(np.sqrt(abs(np.linalg.det(inverse[:, :2])))))
    if factor > 1:
        region = region.reduce(factor)
    # From a crop's pixel centre to the region's, in Pillow's coordinates, whose centres lie at + 0.5.
    linear = inverse[:, :2] / factor
    shift = (inverse[:, 2] - low + 0.5) / factor - linear @ [0.5, 0.5]
    coefficients = (*linear[0], shift[0], *linear[1], shift[1])
    warped = region.transform(
        (width, height), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )
    return np.asarray(warped)
