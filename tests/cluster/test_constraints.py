import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embeddings import small_sizes, unit_rows
from facespace.cluster import Constraints, agglomerative
from facespace.errors import InputError


def test_no_faces_and_no_constraints() -> None:
    start, conflicts = Constraints().resolve(0)
    assert start.shape == (0,) and conflicts.n == 0 and not conflicts


@given(
    seed=st.integers(0, 2**16),
    n=st.integers(2, 40),
    threshold=st.floats(0.0, 4.0),
    linkage=st.sampled_from(["average", "ward", "complete"]),
)
def test_what_people_said_holds_exactly(seed: int, n: int, threshold: float, linkage: str) -> None:
    """Constraints drawn from a hidden truth never contradict each other; every one of them holds in the result."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 5, n)
    pairs = rng.integers(0, n, (n, 2))
    same = truth[pairs[:, 0]] == truth[pairs[:, 1]]
    must, cannot = pairs[same], pairs[~same]
    person = np.where(rng.random(n) < 0.3, truth, -1)
    photo = np.array([5 * i + t if i < 4 else -1 for i, t in zip(rng.integers(0, 8, n), truth, strict=True)])
    _, first = np.unique(photo, return_index=True)
    photo = np.where(np.isin(np.arange(n), first), photo // 5, -1)
    constraints = Constraints(photo=photo, person=person, must_link=must, cannot_link=cannot)
    with small_sizes(dense=seed % 5, neighbours=2):
        labels = agglomerative(
            unit_rows(rng, n),
            threshold=threshold,
            linkage=linkage,
            constraints=constraints,  # type: ignore[arg-type]
        ).labels
    assert (labels[must[:, 0]] == labels[must[:, 1]]).all()
    assert (labels[cannot[:, 0]] != labels[cannot[:, 1]]).all()
    i, j = np.triu_indices(n, 1)
    assert (labels[i] != labels[j])[(photo[i] == photo[j]) & (photo[i] >= 0)].all()
    confirmed = (person[i] >= 0) & (person[j] >= 0)
    assert ((labels[i] == labels[j]) == (person[i] == person[j]))[confirmed].all()


def test_faces_put_together_by_hand_stand_first_in_the_tree_at_distance_zero() -> None:
    rows = np.eye(3, dtype=np.float32)
    result = agglomerative(rows, threshold=2.5, constraints=Constraints(must_link=[(0, 2)]))
    assert result.merges.tolist()[0] == [0, 2, 0, 2]
    # The mean over the pairs (0, 1) and (2, 1) is 2.
    assert result.merges[1].tolist() == pytest.approx([1, 3, 2, 3])


def test_a_group_inherits_what_its_faces_may_not_join() -> None:
    rows = np.tile(np.eye(1, 3, dtype=np.float32), (4, 1))
    labels = agglomerative(
        rows, threshold=1.0, constraints=Constraints(must_link=[(0, 1)], cannot_link=[(1, 2)])
    ).labels
    assert labels[0] == labels[1] != labels[2]


def test_two_confirmed_people_never_join_and_the_unconfirmed_may() -> None:
    rows = np.tile(np.eye(1, 3, dtype=np.float32), (6, 1))
    person = np.array([7, 7, 9, -1, -1, -1])
    labels = agglomerative(rows, threshold=1.0, constraints=Constraints(person=person)).labels
    assert labels[0] == labels[1] != labels[2]
    assert len(np.unique(labels)) == 2


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        (Constraints(must_link=[(0, 1), (1, 2)], cannot_link=[(0, 2)]), "faces 0 and 2 .* 0 = 1 = 2"),
        (Constraints(must_link=[(0, 1)], photo=np.array([4, 4, -1])), "faces 0 and 1 .* 0 = 1"),
        (Constraints(person=np.array([1, 1, -1]), cannot_link=[(1, 0)]), "0 = 1|1 = 0"),
        (Constraints(person=np.array([1, 2, -1]), must_link=[(0, 2), (2, 1)]), "faces 0 and 1 .* 0 = 2 = 1"),
        (Constraints(cannot_link=[(1, 1)]), "faces 1 and 1"),
        (Constraints(must_link=[(0, 3)]), "faces 0 to 2"),
        (Constraints(must_link=[(0, 1, 2)]), "pairs"),  # type: ignore[list-item]
        (Constraints(photo=np.zeros(2, int)), r"shape \(3,\)"),
        (Constraints(person=np.zeros(3)), "integers"),
    ],
)
def test_contradictions_are_named(constraints: Constraints, message: str) -> None:
    with pytest.raises(InputError, match=message):
        agglomerative(np.eye(3, dtype=np.float32), threshold=1.0, constraints=constraints)


def test_many_contradictions_are_counted() -> None:
    with pytest.raises(InputError, match="and 7 more"):
        Constraints(person=np.zeros(5, int), photo=np.zeros(5, int)).resolve(5)
