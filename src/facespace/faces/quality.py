"""One number a face: how much its crop can be trusted, from size, sharpness and pose."""

import numpy as np
from numpy.typing import NDArray

from facespace.faces.align import TEMPLATE_XY

__all__ = ["face_quality"]

TEMPLATE_EYES_PX = float(np.linalg.norm(TEMPLATE_XY[1] - TEMPLATE_XY[0]))
# Mean absolute Laplacian of the grey crop at which a face counts as half sharp.
HALF_SHARP = 6.0


def face_quality(crops: NDArray[np.uint8], landmarks_xy: NDArray[np.float32]) -> NDArray[np.float32]:
    """Quality in [0, 1], the product of three shares that each only grow with what they are named for.

    - size: eye distance in the picture over the template's, up to 1;
    - sharpness: s / (s + HALF_SHARP) with s the mean absolute Laplacian of the crop, doubled and up to 1;
    - pose: 1 where the nose lies midway between the eyes along their line, falling to 0 beyond an eye.

    Args:
        crops: aligned uint8 RGB, shape (N, H, W, 3).
        landmarks_xy: shape (N, 5, 2), pixels of the whole picture.

    Returns:
        float32, shape (N,).
    """
    points = np.asarray(landmarks_xy, np.float32)
    eyes = points[:, 1] - points[:, 0]
    eye_px = np.maximum(np.linalg.norm(eyes, axis=1), 1e-6)
    size = np.minimum(eye_px / TEMPLATE_EYES_PX, 1.0)
    along = ((points[:, 2] - points[:, 0]) * eyes).sum(1) / eye_px**2
    pose = np.clip(1.0 - 2.0 * np.abs(along - 0.5), 0.0, 1.0)
    return (size * _sharpness(crops) * pose).astype(np.float32)


def _sharpness(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = np.asarray(crops, np.float32).mean(3)
    inner = grey[:, 1:-1, 1:-1]
    around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
    detail = np.abs(4.0 * inner - around).mean((1, 2))
    return np.minimum(2.0 * detail / (detail + HALF_SHARP), 1.0)
