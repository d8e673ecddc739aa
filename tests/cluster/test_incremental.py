import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings import unit_rows
from facespace.cluster import Constraints, add_faces, agglomerative, attach_faces, group_good_faces
from facespace.errors import InputError
from facespace.metrics import pairwise_scores


def people(
    rng: np.random.Generator, n: int, n_people: int = 12, noise: float = 0.15
) -> tuple[np.ndarray, np.ndarray]:
    truth = rng.integers(0, n_people, n)
    rows = unit_rows(rng, n_people, 16)[truth] + noise * rng.normal(size=(n, 16)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), truth


def test_nobody_is_added_to_nobody() -> None:
    nobody, none = np.zeros((0, 4), np.float32), np.zeros(0, int)
    assert add_faces(nobody, none, threshold=1.0).shape == (0,)
    assert attach_faces(nobody, none, threshold=1.0).shape == (0,)
    assert group_good_faces(nobody, none.astype(float), threshold=1.0, min_quality=0.5).shape == (0,)


def test_added_in_parts_scores_as_from_scratch() -> None:
    """Over twenty collections; a single one may differ either way, since early groups are not taken apart."""
    lost = []
    for seed in range(20):
        rows, truth = people(np.random.default_rng(seed), 240)
        labels = np.full(240, -1)
        for end in (60, 120, 180, 240):
            labels[:end] = add_faces(rows[:end], labels[:end], threshold=0.9)
        scratch = pairwise_scores(truth, agglomerative(rows, threshold=0.9).labels).f1
        lost.append(scratch - pairwise_scores(truth, labels).f1)
    assert np.mean(lost) < 0.02


@given(seed=st.integers(0, 2**16), threshold=st.floats(0.1, 3.0))
def test_confirmed_people_are_not_moved(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    rows, truth = people(rng, 80, noise=0.3)
    before = np.where(np.arange(80) < 50, truth, -1)
    person = np.where(np.arange(80) < 20, truth, -1)
    after = add_faces(rows, before, threshold=threshold, constraints=Constraints(person=person))
    np.testing.assert_array_equal(after[:20], before[:20])


def test_not_this_person_said_later_takes_a_group_apart_and_keeps_its_number() -> None:
    rows = np.tile(np.eye(1, 3, dtype=np.float32), (5, 1))
    after = add_faces(
        rows, np.array([4, 4, 4, 4, -1]), threshold=1.0, constraints=Constraints(cannot_link=[(0, 3)])
    )
    assert after[0] != after[3]
    assert 4 in after[:4] and set(after) == {4, 5}


def test_groups_keep_their_numbers_and_new_ones_come_after() -> None:
    rows = np.eye(4, dtype=np.float32)[[0, 0, 1, 1, 2, 0]]
    assert add_faces(rows, np.array([9, 9, 3, 3, -1, -1]), threshold=0.5).tolist() == [9, 9, 3, 3, 10, 9]


def test_a_face_is_attached_to_the_nearest_group_that_may_have_it() -> None:
    rows = np.array([[1, 0], [0, 1], [0.96, 0.28], [0.8, 0.6]], np.float32)
    labels = np.array([5, 6, -1, -1])
    assert attach_faces(rows, labels, threshold=1.0).tolist() == [5, 6, 5, 5]
    assert attach_faces(rows, labels, threshold=0.1).tolist() == [5, 6, 5, -1]
    photo = Constraints(photo=np.array([-1, -1, 1, 1]))
    assert attach_faces(rows, labels, threshold=1.0, constraints=photo).tolist() == [5, 6, 5, 6]
    apart = Constraints(cannot_link=[(2, 0)])
    assert attach_faces(rows, labels, threshold=1.0, constraints=apart).tolist() == [5, 6, -1, 5]


def test_poor_faces_do_not_draw_two_people_together() -> None:
    """Two people, and blurred faces half way between them."""
    a, b, between = np.array([1, 0, 0.0]), np.array([0, 1, 0.0]), np.array([1, 1, 0.2]) / np.sqrt(2.04)
    rows = np.array([a] * 3 + [b] * 3 + [between] * 6, np.float32)
    quality = np.array([0.9] * 6 + [0.1] * 5 + [np.nan])
    assert agglomerative(rows, threshold=1.2).n_people == 1
    labels = group_good_faces(rows[:11], quality[:11], threshold=1.2, min_quality=0.5)
    assert len(np.unique(labels[:6])) == 2
    assert set(labels[6:]) <= set(labels[:6])
    assert group_good_faces(rows[:3], quality[:3], threshold=1.2, min_quality=1.0).tolist() == [0, 1, 2]
    far = group_good_faces(rows[:11], quality[:11], threshold=0.3, min_quality=0.5)
    assert len(np.unique(far)) == 2 + 5
    linked = Constraints(must_link=[(0, 6)])
    assert group_good_faces(rows[:7], quality[:7], threshold=0.3, min_quality=0.5, constraints=linked)[6] == 0


@pytest.mark.parametrize("labels", [np.zeros(2, int), np.zeros(3)])
def test_labels_of_another_form_are_refused(labels: np.ndarray) -> None:
    for function in (add_faces, attach_faces):
        with pytest.raises(InputError, match="labels"):
            function(np.eye(3, dtype=np.float32), labels, threshold=1.0)
    with pytest.raises(InputError, match="quality"):
        group_good_faces(np.eye(3, dtype=np.float32), np.zeros(2), threshold=1.0, min_quality=0.1)
