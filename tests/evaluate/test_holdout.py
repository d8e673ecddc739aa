from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facespace.errors import DataError
from facespace.evaluate.holdout import HoldoutFaces, embed_holdout, evaluate_holdout
from fakes import DrawnEmbedder


def gallery(rng: np.random.Generator, n_identities: int, n_each: int, spread: float) -> HoldoutFaces:
    centres = rng.normal(size=(n_identities, 16))
    rows = np.repeat(centres, n_each, 0) + spread * rng.normal(size=(n_identities * n_each, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.repeat(np.arange(n_identities), n_each)
    return HoldoutFaces(rows.astype(np.float32), labels, tuple(f"{i:03}" for i in range(n_identities)))


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
    faces = embed_holdout(tmp_path, DrawnEmbedder())
    assert faces.identities == ("a", "b") and faces.labels.tolist() == [0, 0, 1, 1]
    assert np.allclose(faces.embeddings[0], faces.embeddings[1])
    assert not np.allclose(faces.embeddings[0], faces.embeddings[2])


@pytest.mark.parametrize("names", [[], ["a"]])
def test_fewer_than_two_people_are_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="<identity>/<image>"):
        embed_holdout(tmp_path, DrawnEmbedder())
