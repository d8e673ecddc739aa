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


def see_sheet(sheet: np.ndarray) -> Detections:
    """What is seen in each of the crops that a sheet holds, two in a row."""
    side = sheet.shape[1] // 2
    landmarks = []
    for top in range(0, len(sheet), side):
        for left in (0, side):
            seen = see_discs(sheet[top : top + side, left : left + side])
            landmarks += list(seen.landmarks_xy + np.array([left, top], np.float32))
    points = np.array(landmarks, np.float32).reshape(-1, 5, 2)
    return Detections(np.zeros((len(points), 4), np.float32), points, np.ones(len(points), np.float32))


def test_no_faces_are_seen_again_as_none() -> None:
    landmarks, scores = look_again(drawn_face(), np.zeros((0, 5, 2), np.float32), see_sheet, side_px=96)
    assert landmarks.shape == (0, 5, 2)
    assert scores.shape == (0,)


@pytest.mark.parametrize("side_px", [96, 128])
@pytest.mark.parametrize("n", [1, 3])
def test_coarse_landmarks_become_those_that_the_detector_sees_upright(
    side_px: int, n: int, rng: np.random.Generator
) -> None:
    coarse = (TRUE_XY + rng.normal(0, 2.5, (n, 5, 2))).astype(np.float32)
    better, scores = look_again(drawn_face(), coarse, see_sheet, side_px=side_px)
    left = (coarse - TRUE_XY) / 3  # the first look is one voice of three
    assert np.abs(better - TRUE_XY - left).max() < 0.6 < np.abs(coarse - TRUE_XY).max()
    assert scores == pytest.approx(np.ones(n))


def test_candidates_near_the_face_vote_by_their_scores() -> None:
    def uncertain(sheet: np.ndarray) -> Detections:
        """Each face twice: 1 px to the right with three times the weight of 3 px to the left."""
        seen = see_sheet(sheet)
        landmarks = np.concatenate(
            [np.add(seen.landmarks_xy, [1, 0]), np.subtract(seen.landmarks_xy, [3, 0])]
        )
        scores = np.repeat(np.sqrt([3.0, 1.0]), len(seen)).astype(np.float32)
        return Detections(np.zeros((len(landmarks), 4)), landmarks, scores)  # type: ignore[arg-type]

    better, scores = look_again(drawn_face(), TRUE_XY[None].astype(np.float32), uncertain, side_px=96)
    assert np.abs(better - TRUE_XY).max() < 0.8
    assert scores == pytest.approx([np.sqrt(3.0)])


def only_upright(sheet: np.ndarray) -> Detections:
    """Sees the faces in the crops, not in their mirror images."""
    seen = see_sheet(sheet)
    return seen[seen.landmarks_xy[:, 2, 0] < sheet.shape[1] / 2]


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
    landmarks, scores = look_again(drawn_face(), first, find, side_px=96)
    np.testing.assert_array_equal(landmarks, first)
    assert scores == pytest.approx([score])
