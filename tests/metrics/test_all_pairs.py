"""All pairs in blocks against a plain list of them in double precision."""

import numpy as np
import pytest

from facespace.errors import InputError
from facespace.metrics import all_pairs, count_mixed_pairs, count_pairs, near_pairs, pair_blocks, tar_at_far

FARS = (0.5, 0.1, 0.01, 0.001)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets of a few hundred faces cross the edges of many blocks."""
    monkeypatch.setattr(pair_blocks, "BLOCK_ROWS", 64)
    monkeypatch.setattr(pair_blocks, "BLOCK_COLUMNS", 48)


def people(
    rng: np.random.Generator, n: int, dim: int = 8, n_people: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows and labels in no order, people of very different numbers of faces."""
    n_people = n_people or max(1, n // 5)
    labels = np.minimum(rng.geometric(2 / (n_people + 2), n), n_people) * 7
    rows = rng.normal(size=(n_people + 1, dim))[labels // 7] + rng.normal(size=(n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def plain(
    a: np.ndarray, labels: np.ndarray, b: np.ndarray | None = None, other: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Distance and truth of each pair, one after another."""
    rows, columns = a.astype(float), (a if b is None else b).astype(float)
    rows, columns = (r / np.linalg.norm(r, axis=1, keepdims=True) for r in (rows, columns))
    pairs = [
        (2 - 2 * float(rows[i] @ columns[j]), labels[i] == (labels if other is None else other)[j])
        for i in range(len(rows))
        for j in range(i + 1 if b is None else 0, len(columns))
    ]
    return np.array([d for d, _ in pairs]), np.array([s for _, s in pairs], bool)


CASES = [
    (0, None),
    (1, None),
    (2, None),
    (40, None),
    (64, None),
    (211, None),
    (0, 5),
    (5, 0),
    (130, 70),
    (65, 300),
]


@pytest.mark.parametrize(("n", "m"), CASES)
def test_every_pair_is_counted_once_in_its_step(rng: np.random.Generator, n: int, m: int | None) -> None:
    sets = people(rng, n) + (() if m is None else people(rng, m))
    distance, same = plain(*sets)
    counts = count_pairs(*sets)
    assert (counts.n_same, counts.n_diff) == (same.sum(), (~same).sum())
    for kind, chosen in ((counts.same, same), (counts.diff, ~same)):
        steps = np.repeat(np.arange(len(kind)), kind) / pair_blocks.STEPS_PER_UNIT
        np.testing.assert_allclose(steps, np.sort(distance[chosen]), atol=2e-5)


@pytest.mark.parametrize(("n", "m"), [(211, None), (300, None), (130, 270)])
def test_tar_at_far_is_exact_to_the_pair(rng: np.random.Generator, n: int, m: int | None) -> None:
    sets = people(rng, n, 4) + (() if m is None else people(rng, m, 4))
    distance, same = plain(*sets)
    for far, point in zip(FARS, all_pairs(*sets, fars=FARS), strict=True):
        exact = tar_at_far(distance, same, far)
        assert (point.tar, point.far_met) == (exact.tar, exact.far_met)
        assert point.threshold == pytest.approx(exact.threshold, abs=1e-9)


def test_a_grid_too_coarse_states_a_bound_that_holds(rng: np.random.Generator) -> None:
    """Half the pairs share few distances: the grid cannot tell them apart, the second pass can."""
    corners = np.eye(6, dtype=np.float32)[rng.integers(0, 6, 200)]
    rows = corners + rng.normal(scale=1e-4, size=corners.shape).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = rng.integers(0, 3, 200)
    distance, same = plain(rows, labels)
    counts, exact = count_pairs(rows, labels), all_pairs(rows, labels, fars=FARS)
    loose = 0
    for far, sharp in zip(FARS, exact, strict=True):
        grid, truth = counts.tar_at_far(far), tar_at_far(distance, same, far)
        assert (sharp.tar, sharp.far_met) == (truth.tar, truth.far_met)
        if grid.tar is not None:
            assert grid.tar <= truth.tar <= grid.tar_high
            loose += grid.tar < grid.tar_high
    assert loose


def test_byte_templates_are_compared_by_direction(rng: np.random.Generator) -> None:
    rows, labels = people(rng, 150, 32)
    templates = np.clip(np.rint(rows * 300), -127, 127).astype(np.int8)
    distance, same = plain(templates, labels)
    points = all_pairs(templates, labels, fars=(0.1, 0.01))
    assert [p.tar for p in points] == [tar_at_far(distance, same, far).tar for far in (0.1, 0.01)]


def test_all_faces_alike_and_all_people_one(rng: np.random.Generator) -> None:
    rows = np.tile(people(rng, 1)[0], (70, 1))
    counts = count_pairs(rows, np.zeros(70, int))
    assert (counts.n_same, counts.n_diff, counts.same[:2].sum()) == (2415, 0, 2415)
    assert all_pairs(rows, np.zeros(70, int))[0].reason.startswith("0 pairs of different people")
    opposite = count_pairs(rows[:1], [0], -rows[:1], [1])
    assert opposite.diff[-1] == 1


def test_the_curve_rises_to_all_pairs_and_counts_add_up(rng: np.random.Generator) -> None:
    rows, labels = people(rng, 120)
    counts = count_pairs(rows, labels)
    far, tar, threshold = counts.roc()
    assert (np.diff(far) >= 0).all() and (np.diff(tar) >= 0).all() and (np.diff(threshold) > 0).all()
    assert (far[-1], tar[-1]) == (1, 1)
    assert (counts + counts).n_diff == 2 * counts.n_diff


@pytest.mark.parametrize("m", [None, 90])
def test_near_pairs_are_the_nearest_of_a_plain_list(rng: np.random.Generator, m: int | None) -> None:
    sets = people(rng, 150) + (() if m is None else people(rng, m))
    distance, same = plain(*sets)
    found = near_pairs(*sets, limit=0.8)
    order = np.argsort(distance, kind="stable")
    np.testing.assert_allclose(found.distance, distance[order][distance[order] <= 0.8], atol=1e-12)
    assert found.same.sum() == same[distance <= 0.8].sum()
    columns = sets[0] if m is None else sets[2]
    again = 2 - 2 * (sets[0][found.row].astype(float) * columns[found.column]).sum(1)
    np.testing.assert_allclose(found.distance, again, atol=1e-6)


def test_bad_input_is_refused(rng: np.random.Generator) -> None:
    rows, labels = people(rng, 4)
    with pytest.raises(InputError, match="row 0 has length"):
        all_pairs(np.ones((2, 3), np.float32), np.array([0, 1]))
    with pytest.raises(InputError, match="row 0 has length nan"):
        all_pairs(np.full((2, 3), np.nan, np.float32), np.array([0, 1]))
    with pytest.raises(InputError, match="labels"):
        all_pairs(np.eye(3, dtype=np.float32), np.array([0, 1]))
    with pytest.raises(InputError, match="one dimension, got 8 and 3"):
        count_pairs(rows, labels, np.eye(3, dtype=np.float32), np.arange(3))
    with pytest.raises(InputError, match="both other and other_labels"):
        count_pairs(rows, labels, rows)
    with pytest.raises(InputError, match="a row of zeros"):
        count_pairs(np.zeros((2, 3), np.int8), np.arange(2))
    with pytest.raises(InputError, match="limit"):
        near_pairs(rows, labels, limit=float("nan"))


@pytest.mark.parametrize("n", [0, 1, 2, 64, 65, 211])
def test_mixed_pairs_are_each_face_against_all_other_faces(rng: np.random.Generator, n: int) -> None:
    (one, labels), (other, _) = people(rng, n), people(rng, n)
    rows, columns = (r.astype(float) for r in (one, other))
    pairs = [(2 - 2 * float(rows[i] @ columns[j]), labels[i] == labels[j])
             for i in range(n) for j in range(n) if i != j]  # fmt: skip
    counts = count_mixed_pairs(one, other, labels)
    assert (counts.n_same, counts.n_diff) == (sum(s for _, s in pairs), sum(not s for _, s in pairs))
    for same, counted in ((True, counts.same), (False, counts.diff)):
        expected = np.sort([d for d, s in pairs if s == same])
        found = np.repeat(np.arange(len(counted)), counted) / pair_blocks.STEPS_PER_UNIT
        assert np.abs(found - expected).max(initial=0) < 3 / pair_blocks.STEPS_PER_UNIT


def test_mixed_pairs_need_the_same_faces(rng: np.random.Generator) -> None:
    rows, labels = people(rng, 20)
    with pytest.raises(InputError, match="same faces, got 20 and 19"):
        count_mixed_pairs(rows, rows[1:], labels)
