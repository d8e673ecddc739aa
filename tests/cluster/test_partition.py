from pathlib import Path

import numpy as np
import pytest

from embeddings import unit_rows
from facespace.cluster import Constraints, agglomerative, linkage, partition, plan, rounds
from facespace.metrics import pairwise_scores
from facespace.saved_arrays import ArrayFolder


@pytest.fixture
def people() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 400, 4000)
    rows = unit_rows(rng, 400, 32)[truth] + 0.11 * rng.normal(size=(4000, 32)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), truth


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition, "CELL_SIZE", 100)
    monkeypatch.setattr(partition, "PROBES", 6)
    monkeypatch.setattr(plan, "CELL_QUERIES_AT_ONCE", 512)
    monkeypatch.setattr(plan, "EXACT_QUERIES_AT_ONCE", 300)
    monkeypatch.setattr(plan, "KEPT_QUERIES", 2048)
    monkeypatch.setattr(rounds, "DENSE_GROUPS", 200)


def test_cells_find_almost_what_the_exact_search_finds(people: tuple[np.ndarray, np.ndarray]) -> None:
    rows, truth = people
    exact = agglomerative(rows, threshold=0.8, search="exact")
    found = agglomerative(rows, threshold=0.8, search="partition")
    assert exact.recall == 1.0 and 0.8 < found.recall < 1.0
    assert pairwise_scores(exact.labels, found.labels).f1 > 0.99
    assert pairwise_scores(truth, exact.labels).f1 > 0.9


@pytest.mark.parametrize("linkage", ["average", "ward"])
def test_all_cells_give_the_exact_tree(
    linkage: str, people: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = people[0][:1000]
    monkeypatch.setattr(partition, "PROBES", 1000)
    exact = agglomerative(rows, threshold=np.inf, search="exact", linkage=linkage)  # type: ignore[arg-type]
    found = agglomerative(rows, threshold=np.inf, search="partition", linkage=linkage)  # type: ignore[arg-type]
    assert found.recall == 1.0
    np.testing.assert_allclose(found.merges[:, 2], exact.merges[:, 2], rtol=1e-5, atol=1e-5)


def test_faces_of_one_photo_stay_apart_among_cells(people: tuple[np.ndarray, np.ndarray]) -> None:
    rows, _ = people
    photo = np.arange(len(rows)) // 4
    constraints = Constraints(photo=photo)
    exact = agglomerative(rows, threshold=0.8, search="exact", constraints=constraints).labels
    labels = agglomerative(rows, threshold=0.8, search="partition", constraints=constraints).labels
    assert len(np.unique(np.stack([photo, labels]), axis=1).T) == len(rows)
    assert pairwise_scores(exact, labels).f1 > 0.98


def test_an_interrupted_clustering_goes_on_from_what_it_kept(
    people: tuple[np.ndarray, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, _ = people
    monkeypatch.setattr(linkage, "NEAR", 0.0)  # all faces are left for the long search
    whole = agglomerative(rows, threshold=0.8, search="partition")

    def stop(done: int, total: int) -> None:
        if done > 1500:
            raise KeyboardInterrupt

    saved = ArrayFolder(tmp_path, "a")
    with pytest.raises(KeyboardInterrupt):
        agglomerative(rows, threshold=0.8, search="partition", saved=saved, on_progress=stop)
    kept = len(saved)
    assert 3 <= kept < 8
    asked: list[int] = []
    nearest = partition.PartitionSearch.nearest

    def counted(
        self: partition.PartitionSearch, queries: np.ndarray, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        asked.append(len(queries))
        return nearest(self, queries, k)

    monkeypatch.setattr(partition.PartitionSearch, "nearest", counted)
    again = agglomerative(
        rows, threshold=0.8, search="partition", saved=ArrayFolder(tmp_path, "a"), on_progress=lambda *_: None
    )
    np.testing.assert_array_equal(again.labels, whole.labels)
    # The first search: a thousand faces for the recall, then those of 4000 that were not kept, in parts of 512.
    assert asked[0] == 1000 and sorted(asked[1 : 9 - kept])[:2] == [416, 512]
    assert sum(asked[1 : 9 - kept]) == 4000 - 512 * kept


def test_what_another_input_left_is_dropped(tmp_path: Path) -> None:
    first = ArrayFolder(tmp_path / "kept", "a")
    first["x"] = (np.arange(3, dtype=np.int32), np.ones(3, np.float32))
    assert list(first) == ["x"] and first["x"][0].tolist() == [0, 1, 2]
    assert len(ArrayFolder(tmp_path / "kept", "a")) == 1
    assert len(ArrayFolder(tmp_path / "kept", "b")) == 0
    with pytest.raises(KeyError):
        first["y"]
