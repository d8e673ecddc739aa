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


def test_tracks_are_compared_by_the_mean_over_all_pairs_of_their_faces() -> None:
    tracks = [ROWS[:2], ROWS[2:]]
    expected = [[np.mean([((x - y) ** 2).sum() for x in a for y in b]) for b in tracks] for a in tracks]
    for i, j in np.ndindex(2, 2):
        found = verify_faces(tracks, tracks, threshold=1.0, far=1e-3, face_idx=(i, j))
        assert found.distance == pytest.approx(expected[i][j], abs=1e-6)
    assert verify_faces(ROWS[2:], tracks, threshold=1.0, far=1e-3).face_idx == (0, 1)
    with pytest.raises(NoFaceError, match="both sides"):
        verify_faces(tracks, [], threshold=1.0, far=1e-3)
