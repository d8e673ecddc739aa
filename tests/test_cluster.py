import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from facespace.cluster import agglomerative, tightness
from facespace.errors import InputError


def unit_rows(rng: np.random.Generator, n: int, dim: int = 3) -> np.ndarray:
    rows = rng.normal(size=(n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def as_sets(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == k).tolist()) for k in np.unique(labels)}


def greedy(rows: np.ndarray, threshold: float, apart: np.ndarray) -> set[frozenset[int]]:
    """Merge the closest two groups that may join, looking at every pair of faces each time."""
    distance = ((rows[:, None].astype(float) - rows[None].astype(float)) ** 2).sum(-1)
    groups = [frozenset([i]) for i in range(len(rows))]
    while True:
        best, pair = np.inf, None
        for i, a in enumerate(groups):
            for j in range(i):
                b = groups[j]
                if {apart[x] for x in a if apart[x] >= 0} & {apart[x] for x in b if apart[x] >= 0}:
                    continue
                mean = distance[np.ix_(sorted(a), sorted(b))].mean()
                if mean < best:
                    best, pair = mean, (i, j)
        if pair is None or best > threshold:
            return set(groups)
        a, b = groups[pair[0]], groups[pair[1]]
        groups = [g for g in groups if g not in (a, b)] + [a | b]


def test_nobody_makes_no_people() -> None:
    result = agglomerative(np.zeros((0, 4), np.float32), threshold=1.0)
    assert result.labels.shape == (0,) and result.merges.shape == (0, 4) and result.n_people == 0


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**16), n=st.integers(2, 60), threshold=st.floats(0.0, 3.9))
def test_groups_and_tree_are_those_of_scipy(seed: int, n: int, threshold: float) -> None:
    rows = unit_rows(np.random.default_rng(seed), n)
    tree = linkage(pdist(rows.astype(float), "sqeuclidean"), "average")
    if np.abs(tree[:, 2] - threshold).min() < 1e-4:
        return
    result = agglomerative(rows, threshold=threshold)
    assert as_sets(result.labels) == as_sets(fcluster(tree, threshold, "distance"))
    kept = tree[tree[:, 2] <= threshold]
    np.testing.assert_allclose(result.merges[:, 2], kept[:, 2], atol=1e-4)
    np.testing.assert_array_equal(result.merges[:, 3], kept[:, 3])
    if len(kept) and np.diff(kept[:, 2], prepend=-1).min() > 1e-4:
        np.testing.assert_array_equal(np.sort(result.merges[:, :2], 1), np.sort(kept[:, :2], 1))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    n=st.integers(2, 14),
    threshold=st.floats(0.0, 3.9),
    n_photos=st.integers(1, 8),
)
def test_faces_of_one_photo_stay_apart_as_in_a_plain_search(
    seed: int, n: int, threshold: float, n_photos: int
) -> None:
    rng = np.random.default_rng(seed)
    rows, apart = unit_rows(rng, n), rng.integers(-1, n_photos, n)
    found = as_sets(agglomerative(rows, threshold=threshold, apart=apart).labels)
    assert found == greedy(rows, threshold, apart)
    for group in found:
        photos = [apart[i] for i in group if apart[i] >= 0]
        assert len(photos) == len(set(photos))


@pytest.mark.parametrize("n", [1, 2, 50])
def test_equal_faces_are_one_person_even_at_threshold_zero(n: int) -> None:
    rows = np.tile(unit_rows(np.random.default_rng(0), 1), (n, 1))
    assert agglomerative(rows, threshold=1e-6).n_people == 1


def test_equality_accepts() -> None:
    rows = np.array([[1, 0], [0, 1]], np.float32)
    assert agglomerative(rows, threshold=2.0).n_people == 1
    assert agglomerative(rows, threshold=1.999).n_people == 2


def test_labels_go_from_the_largest_group_on(rng: np.random.Generator) -> None:
    centres = np.eye(3, dtype=np.float32)
    rows = centres[[2, 0, 0, 1, 0, 1, 2]]
    assert agglomerative(rows, threshold=0.5).labels.tolist() == [1, 0, 0, 2, 0, 2, 1]


def test_ties_by_the_dozen_end(rng: np.random.Generator) -> None:
    rows = np.repeat(np.vstack([np.eye(8), -np.eye(8)]).astype(np.float32), 6, 0)
    assert agglomerative(rows[rng.permutation(len(rows))], threshold=0.1).n_people == 16


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (np.ones((2, 2), np.float32), {"threshold": 1.0}, "length"),
        (np.full((2, 2), np.nan, np.float32), {"threshold": 1.0}, "length"),
        (np.zeros(3, np.float32), {"threshold": 1.0}, r"\(N, D\)"),
        (np.eye(2, dtype=np.float32), {"threshold": np.nan}, "threshold"),
        (np.eye(2, dtype=np.float32), {"threshold": 1.0, "apart": np.zeros(3, int)}, "apart"),
    ],
)
def test_bad_input_is_refused(rows: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        agglomerative(rows, **options)


def test_tightness_is_the_mean_distance_of_all_pairs(rng: np.random.Generator) -> None:
    rows, labels = unit_rows(rng, 12), np.array([0] * 7 + [1] * 4 + [2])
    found = tightness(rows, labels)
    for k in (0, 1):
        assert found[k] == pytest.approx(
            pdist(rows[labels == k].astype(float), "sqeuclidean").mean(), rel=1e-4
        )
    assert np.isnan(found[2])
