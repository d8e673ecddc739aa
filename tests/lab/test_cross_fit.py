import numpy as np
import pytest

from facespace.measure.faces import EmbeddedFaces
from facespace.metrics import count_pairs
from lab.cards.cross_fit import cross_fit


def faces(rng: np.random.Generator, n_identities: int = 40, n_each: int = 6) -> EmbeddedFaces:
    rows = np.repeat(rng.normal(size=(n_identities, 16)), n_each, 0)
    rows += 0.7 * rng.normal(size=rows.shape)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.repeat(np.arange(n_identities), n_each)
    return EmbeddedFaces(rows.astype(np.float32), labels, tuple(f"{i:02}" for i in range(n_identities)))


def test_each_half_is_judged_by_the_others_threshold(rng: np.random.Generator) -> None:
    held = faces(rng)
    (found,) = cross_fit(held, fars=(1e-2, 1e-4), n_draws=50)
    halves = [held.labels % 2 == half for half in (0, 1)]
    counts = [count_pairs(held.embeddings[h], held.labels[h]) for h in halves]
    accepted = [0, 0]
    for own, other in (counts, counts[::-1]):
        step = round(other.tar_at_far(1e-2).threshold * 2**16)
        accepted[0] += own.same[: step + 1].sum()
        accepted[1] += own.diff[: step + 1].sum()
    assert found.n_same == sum(int(c.same.sum()) for c in counts) == 600
    assert found.n_diff == sum(int(c.diff.sum()) for c in counts)
    assert found.tar == pytest.approx(accepted[0] / found.n_same, abs=1e-3)
    assert found.far_met == pytest.approx(accepted[1] / found.n_diff, rel=0.02)
    assert found.tar_interval[0] < found.tar < found.tar_interval[1]
