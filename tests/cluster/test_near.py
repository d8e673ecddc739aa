"""Components that are merged each on its own give the tree of the whole; a stand-in for other machines asks for it."""

from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage as scipy_linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import pdist

from embeddings import small_sizes, unit_rows
from facespace.cluster import Constraints, agglomerative, near
from facespace.cluster.conflicts import Conflicts
from facespace.cluster.groups import Groups
from facespace.workers import Threads


class Elsewhere:
    """Threads, but not as threads: components come first, whatever the number of faces."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def map(
        self, work: Callable[[Any], Any], items: Sequence[Any], *, on_lost: Callable[[Any], Any] | None = None
    ) -> Generator[Any, None, None]:
        self.kinds.append(type(items[0]).__name__ if len(items) else "nothing")
        return Threads(2).map(work, items)


def people(seed: int, n: int, dim: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = unit_rows(rng, max(1, n // 4), dim)[rng.integers(0, max(1, n // 4), n)]
    rows = rows + 0.15 * rng.normal(size=(n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("linkage", ["average", "ward"])
@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**16), n=st.integers(0, 90), threshold=st.floats(0.05, 2.0), photos=st.integers(0, 30),
    unit=st.integers(1, 40), block=st.sampled_from([32, 64]), confirmed=st.integers(0, 6),
)  # fmt: skip
def test_components_give_the_tree_of_the_whole(
    linkage: Any, seed: int, n: int, threshold: float, photos: int, unit: int, block: int, confirmed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = people(seed, n, 8)
    person = np.full(n, -1)
    person[: min(n, confirmed)] = np.arange(min(n, confirmed)) // 2
    photo = rng.integers(-1, photos, n) if photos and not confirmed else None
    constraints = Constraints(photo=photo, person=person)
    with small_sizes(dense=5, neighbours=3), pytest.MonkeyPatch.context() as patch:
        patch.setattr(near, "UNIT_GROUPS", unit)
        patch.setattr(near, "BLOCK", block)
        patch.setattr(near, "PAIRS_AT_ONCE", 16)
        whole = agglomerative(rows, threshold=threshold, linkage=linkage, constraints=constraints)
        parts = agglomerative(
            rows, threshold=threshold, linkage=linkage, constraints=constraints, workers=Elsewhere()
        )
    np.testing.assert_array_equal(parts.labels, whole.labels)
    np.testing.assert_allclose(parts.merges[:, 2], whole.merges[:, 2], atol=2e-5)


def test_the_tree_is_that_of_scipy() -> None:
    rows = people(1, 1500, 24)
    tree = scipy_linkage(pdist(rows.astype(float), "sqeuclidean"), "average")
    workers = Elsewhere()
    found = agglomerative(rows, threshold=1.0, workers=workers).merges
    np.testing.assert_allclose(found[:, 2], tree[: len(found), 2], atol=1e-5)
    assert tree[len(found), 2] > 1.0 and workers.kinds[:2] == ["int", "_Unit"]


@pytest.mark.parametrize("n", [1, 31, 300])
def test_each_pair_is_found_once_and_components_are_those_of_a_graph(n: int) -> None:
    rows = people(n, n, 6)
    groups, conflicts = Groups.of_faces(rows, np.arange(n)), Conflicts(n, np.zeros((0, 2), np.int64))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near, "BLOCK", 64)
        pairs = near.all_pairs_of_blocks(groups, conflicts, 0.4)
    found = np.concatenate([pairs(block) for block in range(pairs.n_blocks)])
    distance = ((rows[:, None].astype(float) - rows[None]) ** 2).sum(-1)
    assert (np.abs(distance - 0.4) > 1e-5).all()
    expected = {(int(i), int(j)) for i, j in np.argwhere(distance <= 0.4) if i < j}
    assert {(min(a, b), max(a, b)) for a, b in found.tolist()} == expected and len(found) == len(expected)
    root = near._components(n, conflicts, pairs, Threads(1))
    graph = coo_array((np.ones(len(found)), (found[:, 0], found[:, 1])), shape=(n, n))
    count, labels = connected_components(graph)
    assert len(np.unique(np.stack([root, labels]), axis=1).T) == count == len(np.unique(root))


def test_an_oversized_component_is_left_for_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "MAX_COMPONENT", 3)
    rows = people(2, 200, 8)
    whole, parts = (agglomerative(rows, threshold=0.8, workers=w) for w in (None, Elsewhere()))
    np.testing.assert_array_equal(parts.labels, whole.labels)
