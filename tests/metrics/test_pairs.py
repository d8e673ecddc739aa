import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from facespace.errors import InputError
from facespace.metrics import auc, eer, kfold_accuracy, kfold_tar, roc, tar_at_far
from facespace.metrics.folds import best_threshold

# Few distinct distances, so that ties are the rule.
pairs = st.lists(
    st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.5001, 1.0, 2.5]), st.booleans()), min_size=4, max_size=60
)


def arrays(listed: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([d for d, _ in listed]), np.array([s for _, s in listed])


@settings(deadline=None)
@given(pairs.filter(lambda listed: {s for _, s in listed} == {True, False}))
def test_roc_and_auc_are_those_of_scikit_learn(listed: list[tuple[float, bool]]) -> None:
    distance, same = arrays(listed)
    far, tar, _ = roc(distance, same)
    sk_far, sk_tar, _ = roc_curve(same, -distance, drop_intermediate=False)
    np.testing.assert_allclose(far, sk_far)
    np.testing.assert_allclose(tar, sk_tar)
    assert auc(distance, same) == pytest.approx(roc_auc_score(same, -distance))


@settings(deadline=None)
@given(pairs, st.sampled_from([0.05, 0.2, 0.5, 1.0]))
def test_tar_at_far_is_that_of_trying_every_threshold(listed: list[tuple[float, bool]], far: float) -> None:
    distance, same = arrays(listed * 8)
    point = tar_at_far(distance, same, far)
    n_same, n_diff = same.sum(), (~same).sum()
    if n_same == 0 or n_diff * far < 10:
        assert point.tar is None and point.threshold is None and point.reason
        return
    best = 0.0
    for threshold in [-1.0, *np.unique(distance)]:
        accepted = distance <= threshold
        if (accepted & ~same).sum() / n_diff <= far:
            best = max(best, (accepted & same).sum() / n_same)
    assert point.tar == pytest.approx(best)
    assert ((distance <= point.threshold) & same).sum() / n_same == pytest.approx(best)
    assert point.far_met <= far


def test_the_equal_error_rate_of_a_known_case() -> None:
    distance = np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.7, 0.8, 0.9])
    same = np.array([True] * 4 + [False] * 4)
    rate, threshold = eer(distance, same)
    assert rate == pytest.approx(0.25)
    assert 0.3 <= threshold <= 0.6


@pytest.mark.parametrize(
    ("distance", "same", "message"),
    [
        ([], [], "one kind only"),
        ([0.1, 0.2], [True, True], "one kind only"),
        ([0.1, np.nan], [True, False], "finite"),
        ([0.1], [True, False], "one shape"),
    ],
)
def test_bad_pairs_are_refused(distance: list, same: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        auc(np.array(distance), np.array(same, bool))


@settings(deadline=None)
@given(pairs)
def test_no_threshold_decides_more_pairs_rightly(listed: list[tuple[float, bool]]) -> None:
    distance, same = arrays(listed)
    chosen = best_threshold(distance, same)
    right = ((distance <= chosen) == same).mean()
    # The rule tries no threshold below the smallest distance: accepting nobody is no verification.
    assert right == pytest.approx(max(((distance <= t) == same).mean() for t in distance))


def test_each_fold_is_judged_by_the_others() -> None:
    distance = np.array([0.1, 0.9, 0.2, 0.8, 0.6, 0.7])
    same = np.array([True, False, True, False, True, False])
    result = kfold_accuracy(distance, same, np.array([0, 0, 1, 1, 2, 2]))
    assert result.accuracies == (1.0, 1.0, 0.5)
    assert result.mean == pytest.approx(5 / 6)
    assert result.se == pytest.approx(np.std([1, 1, 0.5], ddof=1) / np.sqrt(3))
    assert result.thresholds[2] == pytest.approx(0.5)


def test_one_fold_is_refused() -> None:
    with pytest.raises(InputError, match="at least two"):
        kfold_accuracy(np.array([0.1]), np.array([True]), np.array([0]))


def test_tar_over_folds_is_that_of_a_loop(rng: np.random.Generator) -> None:
    same = np.tile([True, False, False], 60)
    distance, folds = rng.normal(size=180) + ~same, np.repeat(np.arange(6), 30)
    tars = []
    for k in range(6):
        others = np.sort(distance[~same & (folds != k)])
        limit = max(t for t in distance[folds != k] if (others <= t).mean() <= 0.1)
        tars.append((distance[same & (folds == k)] <= limit).mean())
    found = kfold_tar(distance, same, folds, 0.1)
    assert found is not None
    mean, se = found
    assert (mean, se) == pytest.approx((np.mean(tars), np.std(tars, ddof=1) / np.sqrt(6)))
    assert kfold_tar(distance, same, folds, 0.01) is None


def test_lfw_figures_of_fixed_distances_are_those_of_slow_loops(rng: np.random.Generator) -> None:
    """Ten folds of 30 + 30 pairs: accuracy, thresholds and standard error by trying every distance on nine folds."""
    same = np.tile(np.repeat([True, False], 30), 10)
    distance = np.where(same, rng.normal(0.8, 0.25, 600), rng.normal(1.4, 0.25, 600)).astype(np.float32)
    folds = np.repeat(np.arange(10), 60)
    accuracies = []
    for k in range(10):
        others, inside = folds != k, folds == k
        right = {t: ((distance[others] <= t) == same[others]).sum() for t in np.sort(distance[others])}
        low = max(right, key=lambda t: right[t])
        high = min(t for t in right if t > low)
        accuracies.append(((distance[inside] <= (float(low) + float(high)) / 2) == same[inside]).mean())
    found = kfold_accuracy(distance, same, folds)
    assert found.accuracies == pytest.approx(accuracies)
    assert (found.mean, found.se) == pytest.approx(
        (np.mean(accuracies), np.std(accuracies, ddof=1) / 10**0.5)
    )
    # These very figures, so that a change of both loops shows.
    assert (found.mean, auc(distance, same)) == pytest.approx((0.895, 0.95949), abs=1e-4)
