import numpy as np
import pytest

from embeddings import unit_rows
from facespace.cluster import Constraints, agglomerative, explain
from facespace.errors import InputError


def test_two_faces_that_meet_are_explained_by_the_merges_below() -> None:
    rng = np.random.default_rng(1)
    rows = unit_rows(rng, 30, 4)
    result = agglomerative(rows, threshold=4.0)
    for a, b in rng.integers(0, 30, (20, 2)):
        if a == b:
            continue
        why = explain(rows, result, int(a), int(b), threshold=4.0)
        assert why.same and why.distance == pytest.approx(((rows[a] - rows[b]) ** 2).sum(), abs=1e-5)
        for chain in (why.chain_a, why.chain_b):
            sizes = [step.n_faces for step in chain]
            assert sizes == [1, *np.cumsum([1] + [s.n_joined for s in chain])[1:-1]][: len(sizes)]
            assert all(step.distance <= why.group_distance for step in chain)
        assert why.group_distance in result.merges[:, 2]


def test_two_people_are_explained_by_the_gap_of_their_groups() -> None:
    rows = np.eye(3, dtype=np.float32)[[0, 0, 1, 1]]
    why = explain(rows, agglomerative(rows, threshold=0.5), 0, 2, threshold=0.5)
    assert not why.same and why.group_distance == pytest.approx(2.0) and why.may_not is None
    assert [(s.n_faces, s.n_joined, s.nearest) for s in why.chain_a] == [(1, 1, 1)]
    assert "two people" in why.lines()[0] and len(why.lines()) == 3


@pytest.mark.parametrize(
    ("constraints", "reason"),
    [
        (Constraints(photo=np.array([3, 3])), "photo"),
        (Constraints(cannot_link=[(1, 0)]), "two people"),
        (Constraints(person=np.array([1, 2])), "confirmed"),
    ],
)
def test_a_constraint_is_named(constraints: Constraints, reason: str) -> None:
    rows = np.eye(1, 3, dtype=np.float32)[[0, 0]]
    result = agglomerative(rows, threshold=1.0, constraints=constraints)
    why = explain(rows, result, 0, 1, threshold=1.0, constraints=constraints)
    assert not why.same and reason in str(why.may_not)


@pytest.mark.parametrize(("a", "b"), [(0, 0), (0, 2), (-1, 0)])
def test_faces_that_do_not_exist_are_refused(a: int, b: int) -> None:
    rows = np.eye(2, dtype=np.float32)
    with pytest.raises(InputError, match="explain"):
        explain(rows, agglomerative(rows, threshold=1.0), a, b, threshold=1.0)
