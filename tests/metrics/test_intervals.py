"""Resampled identities against loops over the draws that weigh every pair, and paired tests against SciPy."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binomtest

from facespace.errors import InputError
from facespace.metrics import (
    compare_tar,
    det,
    mcnemar,
    mean_interval,
    rates_at,
    roc,
    tar_at_far,
    tar_interval,
)
from facespace.metrics.resampling import draw_identities, interval_of
from facespace.metrics.tar_intervals import tar_draws


def people(
    rng: np.random.Generator, n_people: int, noise: float = 0.8, n: int = 120
) -> tuple[np.ndarray, np.ndarray]:
    labels = rng.integers(0, n_people, n)
    rows = rng.normal(size=(n_people, 16))[labels] + noise * rng.normal(size=(n, 16))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def all_listed(
    rows: np.ndarray, labels: np.ndarray, other: np.ndarray | None = None, names: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance and both identities of each pair."""
    if other is None:
        pairs = [(rows[i], rows[j], labels[i], labels[j]) for i, j in combinations(range(len(rows)), 2)]
    else:
        pairs = [
            (a, b, x, y) for a, x in zip(rows, labels, strict=True) for b, y in zip(other, names, strict=True)
        ]
    distance = np.array([2 - 2 * float(a.astype(float) @ b.astype(float)) for a, b, _, _ in pairs])
    return distance, np.array([x for *_, x, _ in pairs]), np.array([y for *_, y in pairs])


def slow_tar(distance: np.ndarray, same: np.ndarray, weight: np.ndarray, far: float) -> float:
    """The best TAR of any threshold whose weighted FAR is at most ``far``."""
    best = 0.0
    for t in np.unique(distance):
        near = distance <= t
        if (weight * near * ~same).sum() <= far * (weight * ~same).sum() + 1e-6:
            best = max(best, (weight * near * same).sum() / (weight * same).sum())
    return best


@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("far", [0.01, 0.3])
def test_each_draw_is_that_of_weighing_every_pair(rng: np.random.Generator, cross: bool, far: float) -> None:
    rows, labels = people(rng, 9, n=60)
    sets = (rows[:30], labels[:30], rows[30:], labels[30:]) if cross else (rows, labels)
    distance, a, b = all_listed(*sets)
    draws = draw_identities(len(np.unique(labels)), n_draws=12, seed=3)
    names = np.unique(labels)
    a, b = np.searchsorted(names, a), np.searchsorted(names, b)
    found = tar_draws(*sets, far=far, n_draws=12, seed=3)
    if (a != b).sum() * far < 10:
        assert found is None
        return
    for values, count in zip(found, draws.T, strict=True):
        weight = np.where(a == b, count[a], count[a] * count[b]).astype(float)
        assert values == pytest.approx(slow_tar(distance, a == b, weight, far), abs=1e-9)


def test_rates_at_a_threshold_and_their_intervals_are_those_of_every_pair(rng: np.random.Generator) -> None:
    rows, labels = people(rng, 8)
    distance, a, b = all_listed(rows, labels)
    found = rates_at(rows, labels, threshold=1.1, n_draws=50, seed=2)
    same, near = a == b, distance <= 1.1
    assert (found.tar, found.far) == (near[same].mean(), near[~same].mean())
    for kind, interval in ((same, found.tar_interval), (~same, found.far_interval)):
        expected = mean_interval(near[kind], a[kind], b[kind], n_draws=50, seed=2)
        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_an_interval_covers_its_figure_and_shrinks_with_more_people(rng: np.random.Generator) -> None:
    widths = []
    for n_people in (10, 80):
        rows, labels = people(rng, n_people, n=8 * n_people)
        distance, a, b = all_listed(rows, labels)
        interval = tar_interval(rows, labels, far=0.05, n_draws=200)
        assert interval.low <= tar_at_far(distance, a == b, 0.05).tar <= interval.high
        widths.append(interval.high - interval.low)
    assert widths[1] < widths[0] / 1.5


def test_where_there_is_nothing_to_draw_there_is_no_interval(rng: np.random.Generator) -> None:
    rows, labels = people(rng, 5)
    assert tar_interval(rows, labels, far=1e-5) is None
    assert mean_interval(np.ones(3), np.zeros(3, int), np.zeros(3, int)) is None
    assert interval_of(np.full(10, np.nan), 5) is None
    assert rates_at(rows[:0], labels[:0], threshold=1.0).tar is None


@pytest.mark.parametrize(
    ("only_a", "only_b"), [(0, 0), (0, 5), (0, 6), (6, 0), (20, 9), (700, 640), (1500, 1400)]
)
def test_mcnemar_is_the_exact_binomial_test(only_a: int, only_b: int) -> None:
    a = np.array([True] * only_a + [False] * only_b + [True, False])
    b = np.array([False] * only_a + [True] * only_b + [True, False])
    found = mcnemar(a, b)
    expected = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert found.p_value == pytest.approx(expected)
    words = {0: "not significantly different", 1: "significantly better", -1: "significantly worse"}
    assert found.verdict == words[int(np.sign(only_a - only_b)) if expected < 0.05 else 0]


def test_a_better_model_is_told_from_a_like_one(rng: np.random.Generator) -> None:
    labels = np.repeat(np.arange(60), 6)
    centres = rng.normal(size=(60, 16))[labels]
    good, like, bad = (
        (r / np.linalg.norm(r, axis=1, keepdims=True)).astype(np.float32)
        for r in (centres + s * rng.normal(size=centres.shape) for s in (0.7, 0.7, 1.1))
    )
    words = [compare_tar(good, other, labels, far=0.01, n_draws=200).verdict for other in (bad, like)]
    assert words == ["significantly better", "not significantly different"]
    assert compare_tar(bad, good, labels, far=0.01, n_draws=200).verdict == "significantly worse"
    same = compare_tar(good, good, labels, far=0.01, n_draws=50)
    assert (same.difference.low, same.difference.high) == (0, 0)
    assert compare_tar(good, bad, labels, far=1e-6).verdict is None


def test_det_is_the_roc_turned_over(rng: np.random.Generator) -> None:
    distance, same = rng.random(50), rng.random(50) < 0.5
    far, tar, threshold = roc(distance, same)
    np.testing.assert_array_equal(det(distance, same), (far, 1 - tar, threshold))
    with pytest.raises(InputError, match="one kind only"):
        det(distance, np.ones(50, bool))


def test_bad_input_is_refused(rng: np.random.Generator) -> None:
    rows, labels = people(rng, 5)
    with pytest.raises(InputError, match="one shape"):
        mcnemar(np.ones(3, bool), np.ones(4, bool))
    with pytest.raises(InputError, match="one shape"):
        mean_interval(np.ones(3), np.zeros(2, int), np.zeros(3, int))
    with pytest.raises(InputError, match="same faces"):
        compare_tar(rows, rows[:-1], labels, far=0.1)
