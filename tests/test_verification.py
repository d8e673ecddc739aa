import numpy as np
import pytest

from facespace.errors import InputError, NoFaceError
from facespace.verification import choose_face, verify_faces

BOXES = np.array([[0, 0, 10, 10], [0, 0, 30, 10], [5, 5, 10, 10]], np.float32)
ROWS = np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32)


def test_without_a_face_there_is_no_verdict() -> None:
    with pytest.raises(NoFaceError, match="found none"):
        choose_face(np.zeros((0, 4)))
    with pytest.raises(NoFaceError, match="both sides"):
        verify_faces(ROWS, ROWS[:0], threshold=1.0, far=1e-3)


def test_the_largest_face_is_chosen() -> None:
    assert choose_face(BOXES) == 1


def test_the_verdict_says_all_of_it() -> None:
    verdict = verify_faces(ROWS, ROWS, threshold=0.4, far=1e-3, face_idx=(0, 1))
    assert (verdict.same, verdict.threshold, verdict.far, verdict.face_idx) == (True, 0.4, 1e-3, (0, 1))
    assert verdict.distance == pytest.approx(0.4, abs=1e-6)
    assert verdict.similarity == pytest.approx(0.8)
    assert not verify_faces(ROWS, ROWS, threshold=0.39, far=1e-3, face_idx=(0, 1)).same


def test_any_takes_the_closest_pair() -> None:
    assert verify_faces(ROWS[:1], ROWS[1:], threshold=1.0, far=1e-3).face_idx == (0, 0)
    assert verify_faces(ROWS[[2]], ROWS[:2], threshold=1.0, far=1e-3).face_idx == (0, 1)


def test_a_number_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match="face_idx"):
        verify_faces(ROWS, ROWS, threshold=1.0, far=1e-3, face_idx=(0, 3))
