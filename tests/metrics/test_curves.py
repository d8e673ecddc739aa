import numpy as np
import pytest

from facespace.metrics import PairCounts, count_pairs


def test_the_curve_agrees_with_counting_one_by_one(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(120, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.arange(120) // 6
    far, tar = count_pairs(rows, labels).curve()
    i, j = np.triu_indices(120, 1)
    distances, same = ((rows[i] - rows[j]) ** 2).sum(1), labels[i] == labels[j]
    n_diff = (~same).sum()
    assert 10 / n_diff <= far[0] < 13 / n_diff and 1e-2 in far and far[-1] == 1.0 == tar[-1]
    for rate, value in zip(far[:-1], tar, strict=False):
        allowed = int(rate * n_diff + 1e-6)
        limit = np.sort(distances[~same])[allowed] - 2e-5
        assert value == pytest.approx((distances[same] <= limit).mean(), abs=0.02)


def test_pairs_of_one_kind_have_no_roc() -> None:
    assert PairCounts(np.zeros(3, np.int64), np.ones(3, np.int64)).curve() == ((), ())
