"""Landmarks by a second look: each face turned upright at a size that the detector sees best, and in the mirror.

A large face is found on the coarsest map, whose cells are a third of it wide, and a turned one is a rare sight in
training: both make landmarks coarser than the detector could place them. Refining landmarks on an aligned crop is
what cascades do (Zhang et al., "MTCNN", 2016, third stage); here the same network does it, for all faces at once. It
also tells faces from what only looks like one at first: a shoe or a fold is seldom seen again, upright and mirrored.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facespace.faces.align import TEMPLATE_XY, similarity_transforms, warp
from facespace.faces.detections import Detections

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
    side_px: int,
) -> tuple[Landmarks, NDArray[np.float32]]:
    """Better landmarks of faces that were found in ``image``, and how sure the detector is when it looks again.

    Args:
        image: uint8 RGB, shape (H, W, 3).
        landmarks_xy: of the first look, shape (N, 5, 2).
        find: the detector, for a picture of its input's scale: all its candidates, also several of one face.
        side_px: of the upright crops.

    Returns:
        shape (N, 5, 2): the mean of the first landmarks, those in the upright crop and those in its mirror image; the
        first ones where the two do not both show the face; and the mean of the best scores in the two, shape (N,).
    """
    scores = np.zeros(len(landmarks_xy), np.float32)
    if not len(landmarks_xy):
        return landmarks_xy.copy(), scores
    target = (TEMPLATE_XY - TEMPLATE_CENTRE) * (EYES_SHARE * side_px / TEMPLATE_EYES_PX) + (side_px - 1) / 2
    matrices = similarity_transforms(landmarks_xy, target)
    seen = find(_sheet(warp(image, matrices, (side_px, side_px))))
    in_mirror = _unmirrored(seen, 2 * side_px)
    better = landmarks_xy.copy()
    for row, matrix in enumerate(matrices):
        here = (0, row * side_px)
        upright, score = _placed(seen, target, here)
        mirrored, other_score = _placed(in_mirror, target, here)
        scores[row] = (score + other_score) / 2
        if score > 0 and other_score > 0:
            again = ((upright + mirrored) / 2 - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
            better[row] = (landmarks_xy[row] + 2 * again) / 3
    return better, scores


def _sheet(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One picture of all crops (N, S, S, 3): each in a row with its mirror image, shape (N * S, 2 * S, 3)."""
    n, side = crops.shape[:2]
    return np.concatenate([crops, crops[:, :, ::-1]], axis=2).reshape(n * side, 2 * side, 3)


def _unmirrored(seen: Detections, width: int) -> Detections:
    """What is seen in the mirror image of a picture of that width, where it is in the picture."""
    landmarks = seen.landmarks_xy[:, MIRRORED]
    landmarks[..., 0] = width - 1 - landmarks[..., 0]
    return Detections(seen.boxes_xyxy, landmarks, seen.scores)


def _placed(seen: Detections, expected: Landmarks, offset_xy: tuple[int, int]) -> tuple[Landmarks, float]:
    """The mean landmarks, by score, of the candidates near the ``expected`` ones, and the best score; 0 for none."""
    landmarks = seen.landmarks_xy - np.array(offset_xy, np.float32)
    off = np.sqrt(((landmarks - expected) ** 2).sum(-1)).mean(-1)
    near = off <= FARTHEST * np.linalg.norm(expected[1] - expected[0])
    if not near.any():
        return expected, 0.0
    weights = seen.scores[near] ** 2
    mean = weights @ landmarks[near].reshape(-1, 10) / weights.sum()
    return mean.reshape(5, 2), float(seen.scores[near].max())
