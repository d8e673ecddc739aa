"""Trees equal to SciPy's up to ties; every path of the code on small sets, by making its sizes small."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, is_valid_linkage, linkage
from scipy.spatial.distance import pdist

from embeddings import small_sizes, unit_rows
from facespace.cluster import Constraints, agglomerative, cut, tightness
from facespace.cluster import linkage as linkages
from facespace.errors import InputError

LINKAGES = ("average", "ward", "single", "complete")


def scipy_tree(rows: np.ndarray, method: str) -> np.ndarray:
    """SciPy's tree with the heights of squared distance."""
    wide = rows.astype(float)
    if method != "ward":
        return linkage(pdist(wide, "sqeuclidean"), method)
    tree = linkage(wide, "ward")
    tree[:, 2] **= 2
    return tree


def as_sets(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == k).tolist()) for k in np.unique(labels)}


def group_distance(distance: np.ndarray, a: frozenset[int], b: frozenset[int], method: str) -> float:
    """By definition, from the distances of faces."""
    if method == "ward":
        both = sorted(a | b)
        squares = [distance[np.ix_(sorted(g), sorted(g))].sum() / (2 * len(g)) for g in (both, a, b)]
        return 2 * (squares[0] - squares[1] - squares[2])
    pairs = distance[np.ix_(sorted(a), sorted(b))]
    return float({"average": pairs.mean, "single": pairs.min, "complete": pairs.max}[method]())


def closest(distance: np.ndarray, groups: list[frozenset[int]], method: str, apart: np.ndarray) -> float:
    allowed = [
        group_distance(distance, a, b, method)
        for i, a in enumerate(groups)
        for b in groups[:i]
        if not ({apart[x] for x in a if apart[x] >= 0} & {apart[x] for x in b if apart[x] >= 0})
    ]
    return min(allowed, default=np.inf)


def assert_each_merge_joins_the_closest_two(
    rows: np.ndarray, result: np.ndarray, method: str, apart: np.ndarray, threshold: float = np.inf
) -> None:
    """Replay the tree against a plain search over all pairs of groups; ties may be taken in any order."""
    distance = ((rows[:, None].astype(float) - rows[None].astype(float)) ** 2).sum(-1)
    groups = {i: frozenset([i]) for i in range(len(rows))}
    for k, (a, b, height, size) in enumerate(result):
        left = closest(distance, list(groups.values()), method, apart)
        one, other = groups.pop(int(a)), groups.pop(int(b))
        assert height == pytest.approx(group_distance(distance, one, other, method), abs=2e-5, rel=1e-5)
        assert height == pytest.approx(left, abs=2e-5, rel=1e-5)
        groups[len(rows) + k] = one | other
        assert size == len(one | other)
        shared = [apart[i] for i in one | other if apart[i] >= 0]
        assert len(shared) == len(set(shared))
    assert closest(distance, list(groups.values()), method, apart) > min(threshold, 1e9) - 2e-5


@pytest.mark.parametrize("method", LINKAGES)
def test_nobody_makes_no_people_and_one_makes_one(method: str) -> None:
    for n in (0, 1):
        result = agglomerative(np.ones((n, 1), np.float32), threshold=1.0, linkage=method)  # type: ignore[arg-type]
        assert (result.labels.tolist(), result.merges.shape, result.n_people) == ([0] * n, (0, 4), n)


@pytest.mark.parametrize("method", LINKAGES)
@settings(max_examples=40)
@given(seed=st.integers(0, 2**16), n=st.integers(2, 90), dim=st.integers(2, 20), neighbours=st.integers(1, 8))
def test_the_tree_is_that_of_scipy(method: str, seed: int, n: int, dim: int, neighbours: int) -> None:
    rows = unit_rows(np.random.default_rng(seed), n, dim)
    expected = scipy_tree(rows, method)
    with small_sizes(dense=seed % 8, neighbours=neighbours):
        result = agglomerative(rows, threshold=np.inf, linkage=method)  # type: ignore[arg-type]
    if n > 1 and np.diff(expected[:, 2]).min(initial=1.0) > 1e-4:
        np.testing.assert_allclose(result.merges, expected, rtol=1e-5, atol=1e-5)
    assert is_valid_linkage(result.merges)
    assert result.n_people == 1


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**16),
    n=st.integers(2, 60),
    threshold=st.floats(0.0, 3.9),
    method=st.sampled_from(LINKAGES),
)
def test_groups_at_a_threshold_are_those_of_scipy(seed: int, n: int, threshold: float, method: str) -> None:
    rows = unit_rows(np.random.default_rng(seed), n)
    expected = scipy_tree(rows, method)
    if np.abs(expected[:, 2] - threshold).min() < 1e-4:
        return
    with small_sizes(dense=seed % 8, neighbours=3):
        result = agglomerative(rows, threshold=threshold, linkage=method)  # type: ignore[arg-type]
    assert as_sets(result.labels) == as_sets(fcluster(expected, threshold, "distance"))
    whole = agglomerative(rows, threshold=np.inf, linkage=method)  # type: ignore[arg-type]
    np.testing.assert_array_equal(result.labels, cut(whole.merges, n, threshold=threshold))
    n_clusters = result.n_people
    np.testing.assert_array_equal(
        result.labels,
        agglomerative(rows, n_clusters=n_clusters, linkage=method).labels,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("method", LINKAGES)
@settings(max_examples=30)
@given(seed=st.integers(0, 2**16), n=st.integers(2, 24), dense=st.integers(0, 6))
def test_ties_and_duplicates_merge_the_closest_two(method: str, seed: int, n: int, dense: int) -> None:
    """Rows of a coarse lattice: many equal faces, and many equal distances between unequal ones."""
    rng = np.random.default_rng(seed)
    lattice = rng.integers(-1, 2, (n, 3)) + np.array([0, 0, 3])
    rows = (lattice / np.linalg.norm(lattice, axis=1, keepdims=True)).astype(np.float32)
    with small_sizes(dense, neighbours=2):
        result = agglomerative(rows, threshold=np.inf, linkage=method)  # type: ignore[arg-type]
    assert_each_merge_joins_the_closest_two(rows, result.merges, method, np.full(n, -1))


@pytest.mark.parametrize("method", ["average", "ward", "complete"])
@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**16),
    n=st.integers(2, 20),
    threshold=st.floats(0.0, 3.9),
    n_photos=st.integers(1, 8),
)
def test_faces_of_one_photo_stay_apart_as_in_a_plain_search(
    method: str, seed: int, n: int, threshold: float, n_photos: int
) -> None:
    rng = np.random.default_rng(seed)
    rows, photo = unit_rows(rng, n), rng.integers(-1, n_photos, n)
    with small_sizes(dense=seed % 6, neighbours=2):
        result = agglomerative(
            rows,
            threshold=threshold,
            linkage=method,
            constraints=Constraints(photo=photo),  # type: ignore[arg-type]
        )
    assert_each_merge_joins_the_closest_two(rows, result.merges, method, photo, threshold)


@pytest.mark.parametrize("method", LINKAGES)
@pytest.mark.parametrize("n", [2, 50, 300])
def test_equal_faces_are_one_person_even_at_threshold_zero(method: str, n: int) -> None:
    rows = np.tile(unit_rows(np.random.default_rng(0), 1), (n, 1))
    with small_sizes(dense=2, neighbours=4):
        assert agglomerative(rows, threshold=1e-6, linkage=method).n_people == 1  # type: ignore[arg-type]


def test_a_set_larger_than_the_matrix_gives_the_tree_of_scipy() -> None:
    rng = np.random.default_rng(5)
    centres = unit_rows(rng, 300, 32)
    rows = centres[rng.integers(0, 300, 2500)] + 0.12 * rng.normal(size=(2500, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    expected = scipy_tree(rows, "average")
    result = agglomerative(rows, threshold=np.inf)
    np.testing.assert_allclose(result.merges[:, 2], expected[:, 2], atol=1e-5)
    for threshold in (0.3, 0.6, 1.0):
        gap = np.abs(expected[:, 2] - threshold).min()
        assert gap > 1e-6
        found = cut(result.merges, len(rows), threshold=threshold)
        assert as_sets(found) == as_sets(fcluster(expected, threshold, "distance"))


def test_equality_accepts() -> None:
    rows = np.array([[1, 0], [0, 1]], np.float32)
    assert agglomerative(rows, threshold=2.0).n_people == 1
    assert agglomerative(rows, threshold=1.999).n_people == 2


def test_labels_go_from_the_largest_group_on() -> None:
    centres = np.eye(3, dtype=np.float32)
    rows = centres[[2, 0, 0, 1, 0, 1, 2]]
    assert agglomerative(rows, threshold=0.5).labels.tolist() == [1, 0, 0, 2, 0, 2, 1]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (np.ones((2, 2), np.float32), {"threshold": 1.0}, "length"),
        (np.full((2, 2), np.nan, np.float32), {"threshold": 1.0}, "length"),
        (np.zeros(3, np.float32), {"threshold": 1.0}, r"\(N, D\)"),
        (np.eye(2, dtype=np.float32), {"threshold": np.nan}, "threshold"),
        (np.eye(2, dtype=np.float32), {"threshold": -1.0}, "threshold"),
        (np.eye(2, dtype=np.float32), {}, "either threshold or n_clusters"),
        (np.eye(2, dtype=np.float32), {"threshold": 1.0, "n_clusters": 1}, "both"),
        (np.eye(2, dtype=np.float32), {"n_clusters": 3}, "n_clusters"),
        (np.eye(2, dtype=np.float32), {"threshold": 1.0, "linkage": "median"}, "linkage"),
        (np.eye(2, dtype=np.float32), {"threshold": 1.0, "linkage": "single", "constraints": Constraints()}, "single"),
        (np.eye(2, dtype=np.float32), {"n_clusters": 2, "constraints": Constraints(must_link=[(0, 1)])}, "0 to 1"),
        (np.eye(2, dtype=np.float32), {"n_clusters": 1, "constraints": Constraints(person=np.arange(2))}, "2 to 2"),
        (np.eye(2, dtype=np.float32), {"n_clusters": 1, "constraints": Constraints(cannot_link=[(0, 1)])}, "apart"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(rows: np.ndarray, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        agglomerative(rows, **options)


def test_complete_linkage_is_refused_beyond_what_its_matrix_may_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linkages, "MAX_COMPLETE", 3)
    with pytest.raises(InputError, match="at most 3 faces"):
        agglomerative(np.eye(4, dtype=np.float32), threshold=1.0, linkage="complete")


def test_progress_is_told(rng: np.random.Generator) -> None:
    told: list[tuple[int, int]] = []
    with small_sizes(dense=5, neighbours=2):
        agglomerative(
            unit_rows(rng, 60), threshold=4.0, on_progress=lambda done, most: told.append((done, most))
        )
    assert told and all(0 <= done <= most for done, most in told)


def test_tightness_is_the_mean_distance_of_all_pairs(rng: np.random.Generator) -> None:
    rows, labels = unit_rows(rng, 12), np.array([0] * 7 + [1] * 4 + [3])
    found = tightness(rows, labels)
    for k in (0, 1):
        assert found[k] == pytest.approx(
            pdist(rows[labels == k].astype(float), "sqeuclidean").mean(), rel=1e-4
        )
    assert np.isnan(found[2:]).all() and len(found) == 4
    assert tightness(rows[:0], labels[:0]).shape == (0,)
