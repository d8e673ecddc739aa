"""Landmarks by a second look: each face turned upright at sizes that the detector sees best, and in the mirror.

A large face is found on the coarsest map, whose cells are a third of it wide, and a turned one is a rare sight in
training: both make landmarks coarser than the detector could place them. Refining landmarks on an aligned crop is
what cascades do (Zhang et al., "MTCNN", 2016, third stage); here the same network does it.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from facespace.faces.align import TEMPLATE_XY, similarity_transforms, warp
from facespace.faces.detections import Detections

__all__ = ["look_again"]

MIRRORED = [1, 0, 2, 4, 3]
TEMPLATE_CENTRE, TEMPLATE_EYES_PX = 56.0, 35.2
EYES_SHARE = 0.3  # of the crop's side between the eyes
FARTHEST = 0.3  # of the eye distance, mean over the points: beyond, the second look saw something else

Landmarks = NDArray[np.float32]


def look_again(
    image: NDArray[np.uint8],
    landmarks_xy: Landmarks,
    find: Callable[[NDArray[np.uint8]], Detections],
    *,
    sides_px: Sequence[int],
) -> Landmarks:
    """Better landmarks of faces that were found in ``image``; where a second look fails, the first ones.

    Args:
        image: uint8 RGB, shape (H, W, 3).
        landmarks_xy: of the first look, shape (N, 5, 2).
        find: the detector, for a picture of its input's size.
        sides_px: of the upright crops.

    Returns:
        shape (N, 5, 2): the mean of the landmarks in the upright crops and in their mirror images.
    """
    looks = [_look_at(image, landmarks_xy, find, side_px) for side_px in sides_px]
    return np.mean(looks, axis=0).astype(np.float32) if looks else landmarks_xy


def _look_at(
    image: NDArray[np.uint8],
    landmarks_xy: Landmarks,
    find: Callable[[NDArray[np.uint8]], Detections],
    side_px: int,
) -> Landmarks:
    """Landmarks by crops of one size."""
    target = (TEMPLATE_XY - TEMPLATE_CENTRE) * (EYES_SHARE * side_px / TEMPLATE_EYES_PX) + (side_px - 1) / 2
    matrices = similarity_transforms(landmarks_xy, target)
    better = landmarks_xy.copy()
    for i, (crop, matrix) in enumerate(zip(warp(image, matrices, (side_px, side_px)), matrices, strict=True)):
        seen = _look(crop, target, find)
        if seen is not None:
            better[i] = (seen - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    return better


def _look(
    crop: NDArray[np.uint8], expected: Landmarks, find: Callable[[NDArray[np.uint8]], Detections]
) -> Landmarks | None:
    straight = _nearest(find(crop).landmarks_xy, expected)
    mirrored = find(np.ascontiguousarray(crop[:, ::-1])).landmarks_xy[:, MIRRORED]
    mirrored[..., 0] = crop.shape[1] - 1 - mirrored[..., 0]
    other = _nearest(mirrored, expected)
    return None if straight is None or other is None else ((straight + other) / 2).astype(np.float32)


def _nearest(found: Landmarks, expected: Landmarks) -> Landmarks | None:
    """The face whose landmarks are nearest to the ``expected``; None where none is near."""
    if not len(found):
        return None
    off = np.sqrt(((found - expected) ** 2).sum(-1)).mean(-1)
    eyes = np.linalg.norm(expected[1] - expected[0])
    return found[off.argmin()] if off.min() <= FARTHEST * eyes else None
