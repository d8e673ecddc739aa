from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import DataError, InputError
from facespace.measure import holdout
from facespace.measure.embedding import embed_faces
from facespace.measure.faces import EmbeddedFaces, open_crops
from facespace.measure.holdout import evaluate_holdout, evaluate_photos
from facespace.metrics import tar_at_far
from fakes import DrawnEmbedder


def gallery(rng: np.random.Generator, n_identities: int, n_each: int, spread: float) -> EmbeddedFaces:
    centres = rng.normal(size=(n_identities, 16))
    rows = np.repeat(centres, n_each, 0) + spread * rng.normal(size=(n_identities * n_each, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.repeat(np.arange(n_identities), n_each)
    return EmbeddedFaces(rows.astype(np.float32), labels, tuple(f"{i:03}" for i in range(n_identities)))


def test_a_far_is_stated_only_where_the_pairs_support_it(rng: np.random.Generator) -> None:
    result = evaluate_holdout(gallery(rng, 20, 6, 0.4))
    assert (result.n_faces, result.n_identities, result.n_same, result.n_diff) == (120, 20, 300, 6840)
    assert result.tar["1e-2"]["all"] is not None
    assert result.tar["1e-3"] == {"mean": None, "se": None, "all": None}
    assert result.threshold["1e-3"] is None


def test_people_that_lie_closer_together_are_verified_better(rng: np.random.Generator) -> None:
    near, far = (evaluate_holdout(gallery(rng, 40, 10, spread)) for spread in (0.1, 0.8))
    assert near.tar["1e-3"]["all"] > 0.99 > 0.5 > far.tar["1e-3"]["all"]
    assert 0 <= far.tar["1e-2"]["se"] < 0.2
    assert abs(far.tar["1e-2"]["mean"] - far.tar["1e-2"]["all"]) < 0.2


def test_folders_of_crops_are_embedded_in_order(tmp_path: Path) -> None:
    for name, colour in (("b", (30, 200, 40)), ("a", (220, 30, 30))):
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.new("RGB", (100, 100), colour).save(tmp_path / name / f"{i}.png")
    crops = open_crops(tmp_path)
    faces = crops.embedded(embed_faces(crops, DrawnEmbedder())[0])
    assert faces.identities == ("a", "b") and faces.labels.tolist() == [0, 0, 1, 1]
    assert np.allclose(faces.embeddings[0], faces.embeddings[1])
    assert not np.allclose(faces.embeddings[0], faces.embeddings[2])


@pytest.mark.parametrize("names", [[], ["a"]])
def test_fewer_than_two_people_are_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="<identity>/<image>"):
        open_crops(tmp_path)


def half_against_half(faces: EmbeddedFaces, split: int, n_splits: int, far: float) -> float | None:
    """The paper's figure of one split, pair by pair: every other face of each identity against the others."""
    halves: tuple[list, list] = ([], [])
    for identity in range(split, len(faces.identities), n_splits):
        for k, face in enumerate(np.flatnonzero(faces.labels == identity)):
            halves[k % 2].append((identity, faces.embeddings[face].astype(float)))
    pairs = [(2 - 2 * a @ b, x == y) for x, a in halves[0] for y, b in halves[1]]
    return tar_at_far(np.array([d for d, _ in pairs]), np.array([s for _, s in pairs]), far).tar


def test_the_mean_is_over_splits_half_against_half(rng: np.random.Generator) -> None:
    faces = gallery(rng, 25, 17, 0.7)
    mixed = rng.permutation(len(faces.labels))
    faces = EmbeddedFaces(faces.embeddings[mixed], faces.labels[mixed], faces.identities)
    tars = [half_against_half(faces, k, 5, 1e-2) for k in range(5)]
    result = evaluate_holdout(faces)
    assert result.tar["1e-2"]["mean"] == pytest.approx(np.mean(tars))
    assert result.tar["1e-2"]["se"] == pytest.approx(np.std(tars, ddof=1) / 5**0.5)
    assert result.split_pairs == (25 * 8 * 9, 5 * 20 * 8 * 9)


def test_collections_count_all_their_pairs(rng: np.random.Generator) -> None:
    collections = {str(k): gallery(rng, 12, 8, 0.5) for k in range(3)}
    result = evaluate_photos(collections, intervals=True)
    tars = []
    for name, faces in collections.items():
        i, j = np.triu_indices(96, 1)
        distance = 2 - 2 * (faces.embeddings[i].astype(float) * faces.embeddings[j]).sum(1)
        tars.append(tar_at_far(distance, faces.labels[i] == faces.labels[j], 1e-2).tar)
        assert result.collections[name].tar["1e-2"]["all"] == tars[-1]
        interval = result.collections[name].interval["1e-2"]
        assert interval.low <= tars[-1] <= interval.high
    assert result.tar["1e-2"]["mean"] == pytest.approx(np.mean(tars))
    with pytest.raises(InputError, match="one collection"):
        evaluate_photos({})


def test_large_sets_give_the_splits_alone_and_a_bound(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = gallery(rng, 25, 17, 0.7)
    exact = evaluate_holdout(faces)
    monkeypatch.setattr(holdout, "EXACT_PAIRS", 0)
    grid = evaluate_holdout(faces)
    assert grid.tar["1e-2"]["all"] <= exact.tar["1e-2"]["all"] <= grid.tar_high["1e-2"]
    monkeypatch.setattr(holdout, "ALL_PAIRS", 10_000)
    large = evaluate_holdout(faces)
    assert large.tar["1e-2"]["all"] is None and "only the splits" in large.note
    assert large.tar["1e-2"]["mean"] == grid.tar["1e-2"]["mean"]
    with pytest.raises(InputError, match="n_splits"):
        evaluate_holdout(faces, n_splits=0)
