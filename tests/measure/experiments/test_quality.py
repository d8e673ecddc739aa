import numpy as np
import pytest

from facespace.errors import InputError
from facespace.measure.experiments.quality import drop_worst, worst_faces
from facespace.measure.faces import EmbeddedFaces


def spoiled_faces(rng: np.random.Generator) -> tuple[EmbeddedFaces, np.ndarray]:
    """30 people of 8 faces, one in eight lost in noise."""
    rows = np.repeat(rng.normal(size=(30, 16)), 8, 0) + 0.3 * rng.normal(size=(240, 16))
    spoiled = np.arange(240) % 8 == 3
    rows[spoiled] = rng.normal(size=(30, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.repeat(np.arange(30), 8)
    return EmbeddedFaces(rows.astype(np.float32), labels, tuple(f"{i:02}" for i in range(30))), spoiled


def test_a_quality_that_knows_the_spoiled_faces_gains(rng: np.random.Generator) -> None:
    faces, spoiled = spoiled_faces(rng)
    result = drop_worst(faces, (~spoiled).astype(np.float32), far=1e-2, n_random=3, n_draws=50)
    assert result.gain > 0.1 and result.gain_interval.low > 0
    assert result.tar_without_worst > result.tar_without_random and result.n_dropped == 24


def test_a_quality_that_knows_nothing_gains_nothing(rng: np.random.Generator) -> None:
    faces, _ = spoiled_faces(rng)
    noise = rng.random(240).astype(np.float32)
    result = drop_worst(faces, noise, far=1e-2, n_random=5, n_draws=50)
    assert result.gain_interval.low < 0.02 and abs(result.gain) < 0.05


def test_an_identity_keeps_its_faces() -> None:
    labels = np.array([0] * 4 + [1] * 7)
    dropped = worst_faces(np.arange(11, dtype=np.float32), labels, n_drop=9, keep=5)
    assert np.flatnonzero(dropped).tolist() == [4, 5]
    assert not worst_faces(np.zeros(0, np.float32), np.zeros(0, int), n_drop=3, keep=5).any()


@pytest.mark.parametrize("quality", [np.zeros(3), np.full(240, np.nan)])
def test_quality_must_fit(rng: np.random.Generator, quality: np.ndarray) -> None:
    with pytest.raises(InputError, match="finite values of shape"):
        drop_worst(spoiled_faces(rng)[0], quality)
