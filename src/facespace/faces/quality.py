"""One number a face: how much its embedding can be trusted, from the crop alone and, if known, its landmarks.

The crop's part is a regression on ten plain measures of its pixels, fitted to how well the embedding of a face agrees
with the mean of its person's other faces (`recipes/quality.py`, on `faces/train`). It is stated as a rank among those
faces: 0.5 is an ordinary thumbnail, 0.1 one worse than nine tenths of them. Size and pose need the whole picture's
landmarks and only lower it.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.faces.align import TEMPLATE_XY

# Below this a face is worse than nine tenths of ordinary thumbnails: groups and galleries may set it aside.
SET_ASIDE = 0.1
SIDE_PX = 112
# Eye distance in the picture from which on size costs nothing: half the template's.
ENOUGH_EYES_PX = float(np.linalg.norm(TEMPLATE_XY[1] - TEMPLATE_XY[0])) / 2
MEASURES = (
    "detail", "detail_2", "detail_4", "detail_8", "contrast",
    "brightness", "brightness_squared", "asymmetry", "black", "colour",
)  # fmt: skip
# Of each measure, and the constant: the sum has mean 0 and spread 1 over the faces that it was fitted to.
WEIGHTS = np.array(
    [2.3707, -1.0070, 1.4592, -1.4977, -2.4515, 8.5335, -10.8458, -0.6905, 4.6764, -2.4474]
)  # fmt: skip
CONSTANT = 6.8220
# A logistic curve of this slope is within 0.01 of the normal distribution's share below.
RANK_SLOPE = 1.702
# Spread of grey values, 0 to 255, from which on a crop is within what the weights were fitted to.
ENOUGH_CONTRAST = 20.0


def face_quality(
    crops: NDArray[np.uint8], landmarks_xy: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Quality in [0, 1]: the crop's rank among ordinary thumbnails, times what contrast, size and pose leave of it.

    - contrast: the square of its spread over ENOUGH_CONTRAST, up to 1: nearly black, white or faded crops;
    - size: eye distance in the picture over half the template's, up to 1;
    - pose: 1 for a nose in the middle half between the eyes, falling to 0 at an eye.

    Args:
        crops: aligned uint8 RGB, shape (N, H, W, 3).
        landmarks_xy: shape (N, 5, 2), pixels of the whole picture; None for ready crops, whose size and pose
            are not known.

    Returns:
        float32, shape (N,); below SET_ASIDE a face is better set aside.
    """
    measures = crop_measures(crops)
    rank = 1.0 / (1.0 + np.exp(-RANK_SLOPE * (measures @ WEIGHTS + CONSTANT)))
    contrast = np.expm1(measures[:, MEASURES.index("contrast")])
    rank *= np.minimum(contrast / ENOUGH_CONTRAST, 1.0) ** 2
    if landmarks_xy is None:
        return rank.astype(np.float32)
    points = np.asarray(landmarks_xy, np.float32)
    eyes = points[:, 1] - points[:, 0]
    eye_px = np.maximum(np.linalg.norm(eyes, axis=1), 1e-6)
    size = np.minimum(eye_px / ENOUGH_EYES_PX, 1.0)
    along = ((points[:, 2] - points[:, 0]) * eyes).sum(1) / eye_px**2
    pose = np.clip(2.0 - 4.0 * np.abs(along - 0.5), 0.0, 1.0)
    return (rank * size * pose).astype(np.float32)


def crop_measures(crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What the crop's quality is made of, shape (N, 10), columns as MEASURES names them.

    Detail is the log of the mean absolute Laplacian at full, half, quarter and eighth size; asymmetry is the mean
    difference from the mirror image over the contrast; black is the share of pixels beyond the picture.

    Args:
        crops: aligned uint8 RGB, shape (N, H, W, 3).
    """
    red, green, blue = np.moveaxis(_at_standard_size(np.asarray(crops, np.uint8)), 3, 0).copy()
    grey = (red.astype(np.float32) + green + blue) / np.float32(3)
    halves = _halved(grey)
    quarters = _halved(halves)
    eighths = _halved(quarters)
    contrast = quarters[:, 4:24, 4:24].std((1, 2))
    brightness = grey.mean((1, 2)) / 255
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    columns = [
        *(np.log1p(_detail(level)) for level in (grey, halves, quarters, eighths)),
        np.log1p(contrast),
        brightness,
        brightness**2,
        np.abs(quarters - quarters[:, :, ::-1]).mean((1, 2)) / (contrast + 4),
        (grey < 3).mean((1, 2)),
        spread.mean((1, 2)) / 255,
    ]
    return np.stack(columns, 1).astype(np.float64)


def _at_standard_size(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if crops.shape[1:3] == (SIDE_PX, SIDE_PX):
        return crops
    resized = [Image.fromarray(c).resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR) for c in crops]
    return np.array([np.asarray(c) for c in resized], np.uint8).reshape(-1, SIDE_PX, SIDE_PX, 3)


def _halved(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2x2 pixels, by whole rows and columns: a mean over two axes of four takes ten times as long."""
    rows = grey[:, ::2] + grey[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) * np.float32(0.25)


def _detail(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    return np.abs(4.0 * grey[:, 1:-1, 1:-1] - around).mean((1, 2))
