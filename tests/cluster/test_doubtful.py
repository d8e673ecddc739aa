import numpy as np

from embeddings import unit_rows
from facespace.cluster import find_doubtful_groups


def cloud(rng: np.random.Generator, n: int, noise: float) -> np.ndarray:
    rows = unit_rows(rng, 1, 16) + noise * rng.normal(size=(n, 16)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_nobody_is_no_heap() -> None:
    assert find_doubtful_groups(np.zeros((0, 4), np.float32), np.zeros(0, int), threshold=1.0) == []


def test_a_loose_group_is_told_and_a_tight_one_is_not(rng: np.random.Generator) -> None:
    rows = np.concatenate([cloud(rng, 30, 0.05), cloud(rng, 40, 0.4), cloud(rng, 9, 0.4)])
    labels = np.repeat([0, 1, 2], [30, 40, 9])
    (group,) = find_doubtful_groups(rows, labels, threshold=0.9)
    assert (group.label, group.n_faces) == (1, 40) and group.beyond > 0.2 and group.diameter > 0.9
    assert "farther apart" in group.reasons[0]


def test_a_large_part_of_a_collection_is_told(rng: np.random.Generator) -> None:
    rows = cloud(rng, 500, 0.02)
    labels = np.where(np.arange(500) < 200, 0, np.arange(500))
    (group,) = find_doubtful_groups(rows, labels, threshold=1.0)
    assert group.reasons == ("it holds 40 % of all faces",)


def test_a_group_brought_together_by_blur_is_told(rng: np.random.Generator) -> None:
    rows, labels = cloud(rng, 40, 0.02), np.repeat([0, 1], [25, 15])
    quality = np.where(labels == 0, 0.8, 0.2)
    quality[0] = np.nan
    (group,) = find_doubtful_groups(rows, labels, threshold=1.0, quality=quality)
    assert group.label == 1 and "poor" in group.reasons[0] and group.quality == 0.2
