"""A second look at faces: what it returns lies where the detector saw it, in the pixels of the picture."""

import numpy as np
import pytest

from facespace.faces.align import TEMPLATE_XY
from facespace.faces.detections import Detections
from facespace.faces.second_look import MIRRORED, look_again

TRUE_XY = ((TEMPLATE_XY - 56) * 1.7) @ np.array([[0.94, 0.34], [-0.34, 0.94]], np.float32) + [90.0, 110.0]
RADIUS = 7


def drawn_face() -> np.ndarray:
    """A picture whose five landmarks are discs, each of its own colour."""
    image = np.full((240, 200, 3), 90, np.uint8)
    rows, columns = np.mgrid[0:240, 0:200]
    for k, (x, y) in enumerate(TRUE_XY):
        image[(columns - x) ** 2 + (rows - y) ** 2 <= RADIUS**2] = (255, 40 * k, 0)
    return image


def see_discs(picture: np.ndarray) -> Detections:
    """The centres of the five discs, named left to right as a detector names them."""
    red, green, blue = (picture[..., c].astype(int) for c in range(3))
    points = []
    for k in range(5):
        found = np.argwhere((red > 200) & (np.abs(green - 40 * k) < 20) & (blue < 18))
        if not len(found):
            return Detections.empty()
        points.append(found.mean(0)[::-1])
    landmarks = np.array(points, np.float32)
    if landmarks[0, 0] > landmarks[1, 0]:  # a mirror image: left is what stands left
        landmarks = landmarks[MIRRORED]
    box = np.concatenate([landmarks.min(0), landmarks.max(0)])
    return Detections(box[None], landmarks[None], np.ones(1, np.float32))


def test_no_faces_are_seen_again_as_none() -> None:
    landmarks, scores = look_again(drawn_face(), np.zeros((0, 5, 2), np.float32), see_discs, sides_px=(96,))
    assert landmarks.shape == (0, 5, 2)
    assert scores.shape == (0,)


@pytest.mark.parametrize("sides_px", [(96,), (80, 96), (128,)])
def test_coarse_landmarks_become_those_that_the_detector_sees_upright(
    sides_px: tuple[int, ...], rng: np.random.Generator
) -> None:
    coarse = (TRUE_XY + rng.normal(0, 2.5, (5, 2)))[None].astype(np.float32)
    better, scores = look_again(drawn_face(), coarse, see_discs, sides_px=sides_px)
    assert np.abs(better - TRUE_XY).max() < 0.8 < np.abs(coarse - TRUE_XY).max()
    assert scores == pytest.approx([1.0])


def only_upright(picture: np.ndarray) -> Detections:
    """Sees the face in the crop, not in its mirror image."""
    found = see_discs(picture)
    left_eye_is_left = np.argwhere(picture[..., 1] < 20)[:, 1].mean() < picture.shape[1] / 2
    return found if left_eye_is_left else Detections.empty()


@pytest.mark.parametrize(
    ("find", "score"),
    [
        (lambda _: Detections.empty(), 0.0),
        (lambda _: Detections(np.zeros((1, 4)), np.full((1, 5, 2), 5.0), np.ones(1)), 0.0),  # type: ignore[arg-type]
        (only_upright, 0.5),
    ],
    ids=["nothing", "something else", "one side"],
)
def test_a_look_that_fails_leaves_the_first_landmarks_and_costs_score(find, score: float) -> None:  # type: ignore[no-untyped-def]
    first = (TRUE_XY + 1.5)[None].astype(np.float32)
    landmarks, scores = look_again(drawn_face(), first, find, sides_px=(96,))
    np.testing.assert_array_equal(landmarks, first)
    assert scores == pytest.approx([score])
