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
) -> tuple[Landmarks, NDArray[np.float32]]:
    """Better landmarks of faces that were found in ``image``, and how sure the detector is when it looks again.

    Args:
        image: uint8 RGB, shape (H, W, 3).
        landmarks_xy: of the first look, shape (N, 5, 2).
        find: the detector, for a picture of its input's size; it should name also what it is not sure of.
        sides_px: of the upright crops, one or more.

    Returns:
        shape (N, 5, 2): the mean of the landmarks in the upright crops and in their mirror images; the first ones
        where the crops of a size do not both show the face; and the mean of the scores there, shape (N,), 0 where it
        is not seen.
    """
    landmarks, scores = zip(*(_look_at(image, landmarks_xy, find, side) for side in sides_px), strict=True)
    return np.mean(landmarks, axis=0).astype(np.float32), np.mean(scores, axis=0).astype(np.float32)


def _look_at(
    image: NDArray[np.uint8],
    landmarks_xy: Landmarks,
    find: Callable[[NDArray[np.uint8]], Detections],
    side_px: int,
) -> tuple[Landmarks, NDArray[np.float32]]:
    """Landmarks and scores by crops of one size."""
    target = (TEMPLATE_XY - TEMPLATE_CENTRE) * (EYES_SHARE * side_px / TEMPLATE_EYES_PX) + (side_px - 1) / 2
    matrices = similarity_transforms(landmarks_xy, target)
    better, scores = landmarks_xy.copy(), np.zeros(len(landmarks_xy), np.float32)
    for i, (crop, matrix) in enumerate(zip(warp(image, matrices, (side_px, side_px)), matrices, strict=True)):
        seen = [_nearest(find(crop), target), _nearest(_unmirrored(find, crop), target)]
        scores[i] = sum(score for _, score in seen) / 2
        if all(score > 0 for _, score in seen):
            upright = (seen[0][0] + seen[1][0]) / 2
            better[i] = (upright - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    return better, scores


def _unmirrored(find: Callable[[NDArray[np.uint8]], Detections], crop: NDArray[np.uint8]) -> Detections:
    """What is found in the mirror image, where it is in the crop."""
    found = find(np.ascontiguousarray(crop[:, ::-1]))
    landmarks = found.landmarks_xy[:, MIRRORED]
    landmarks[..., 0] = crop.shape[1] - 1 - landmarks[..., 0]
    return Detections(found.boxes_xyxy, landmarks, found.scores)


def _nearest(found: Detections, expected: Landmarks) -> tuple[Landmarks, float]:
    """Landmarks and score of the face that is nearest to the ``expected`` one; score 0 where none is near."""
    off = np.sqrt(((found.landmarks_xy - expected) ** 2).sum(-1)).mean(-1)
    if off.min(initial=np.inf) > FARTHEST * np.linalg.norm(expected[1] - expected[0]):
        return expected, 0.0
    nearest = int(off.argmin())
    return found.landmarks_xy[nearest], float(found.scores[nearest])
