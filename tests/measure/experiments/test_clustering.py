import numpy as np
import pytest

from embeddings import unit_rows
from facespace.errors import InputError
from facespace.measure.experiments.clustering import GrowthPoint, draw_faces, exponent, measure_growth
from facespace.measure.faces import EmbeddedFaces


@pytest.fixture(scope="module")
def real() -> EmbeddedFaces:
    rng = np.random.default_rng(4)
    labels = np.repeat(np.arange(60), 15)
    rows = unit_rows(rng, 60, 16)[labels] + 0.1 * rng.normal(size=(900, 16)).astype(np.float32)
    return EmbeddedFaces(rows / np.linalg.norm(rows, axis=1, keepdims=True), labels, ())


def mean_distances(rows: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Within and between people, by definition."""
    distance = ((rows[:, None] - rows[None]) ** 2).sum(-1)
    same, i = labels[:, None] == labels[None], np.arange(len(rows))
    return float(distance[same & (i[:, None] != i)].mean()), float(distance[~same].mean())


def test_drawn_faces_lie_as_far_apart_as_real_ones(real: EmbeddedFaces) -> None:
    rows, truth = draw_faces(real, 1000)
    assert rows.shape == (1000, 16) and np.bincount(truth).sum() == 1000
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert 8 < len(truth) / (truth.max() + 1) < 10.5
    assert mean_distances(rows, truth) == pytest.approx(
        mean_distances(real.embeddings, real.labels), rel=0.12
    )


@pytest.mark.parametrize("n", [0, -1])
def test_nobody_can_be_drawn_from_nothing(real: EmbeddedFaces, n: int) -> None:
    with pytest.raises(InputError, match="draw"):
        draw_faces(real, n)
    alone = EmbeddedFaces(real.embeddings[:15], real.labels[:15], ())
    with pytest.raises(InputError, match="two people"):
        draw_faces(alone, 5)


def test_growth_is_measured_at_each_size(real: EmbeddedFaces) -> None:
    told: list[tuple[int, int]] = []
    points = measure_growth(
        real,
        {"1e-2": 0.8, "1e-3": 0.6},
        [200, 1800],
        on_progress=lambda done, most: told.append((done, most)),
    )
    assert [p.n for p in points] == [200, 1800] and points[0].threshold > points[1].threshold
    assert all(p.recall == 1.0 and p.f1 > 0.5 and p.seconds > 0 for p in points)
    assert all(done <= most == 2000 for done, most in told)


def test_the_exponent_of_a_power_law_is_its_own() -> None:
    points = [GrowthPoint(n, 1.0, 0.0, 3e-9 * n**1.7, 1.0, 1.0) for n in (10, 300, 5000)]
    assert exponent(points) == pytest.approx(1.7)
    assert exponent(points[:1]) is None
