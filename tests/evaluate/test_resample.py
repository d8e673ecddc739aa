import itertools

import numpy as np
import pytest

from facespace.errors import InputError
from facespace.evaluate.resample import IdentityPairs, draw_weights, interval
from facespace.metrics import all_pairs


def faces(rng: np.random.Generator, n_identities: int, n_each: int) -> tuple[np.ndarray, np.ndarray]:
    centres = rng.normal(size=(n_identities, 8))
    rows = np.repeat(centres, n_each, 0) + 0.6 * rng.normal(size=(n_identities * n_each, 8))
    labels = np.repeat(np.arange(n_identities), n_each)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def plain_tar(
    rows: np.ndarray, labels: np.ndarray, weights: np.ndarray, threshold: float
) -> tuple[float, float]:
    """TAR and FAR up to a distance, pair by pair."""
    same = [0.0, 0.0]
    diff = [0.0, 0.0]
    for i, j in itertools.combinations(range(len(rows)), 2):
        accepted = float(((rows[i] - rows[j]) ** 2).sum()) <= threshold
        if labels[i] == labels[j]:
            weight, counts = weights[labels[i]], same
        else:
            weight, counts = weights[labels[i]] * weights[labels[j]], diff
        counts[0] += weight * accepted
        counts[1] += weight
    return same[0] / same[1], diff[0] / diff[1]


def test_weighted_rates_are_those_of_counting_pair_by_pair(rng: np.random.Generator) -> None:
    rows, labels = faces(rng, 12, 4)
    order = rng.permutation(len(labels))
    rows, labels = rows[order], labels[order]
    pairs = IdentityPairs.of(rows, labels)
    weights = draw_weights(12, 5)
    steps = pairs.step_at_far(weights, 0.02)
    for row, step, tar in zip(weights, steps, pairs.tar_at_far(weights, 0.02), strict=True):
        # Halfway to the next edge, so that no rounding decides.
        edge = (pairs.edges[step] + pairs.edges[min(step + 1, len(pairs.edges) - 1)]) / 2
        expected, far = plain_tar(rows, labels, row, float(edge))
        assert far <= 0.02 and tar == pytest.approx(expected, abs=0.02)
        exact, _ = plain_tar(rows, labels, row, float(pairs.edges[step]) + 1e-6)
        assert tar == pytest.approx(exact, abs=1e-5)


def test_all_weights_one_is_the_sample_itself(rng: np.random.Generator) -> None:
    rows, labels = faces(rng, 60, 6)
    tar = IdentityPairs.of(rows, labels).tar_at_far(draw_weights(60, 0), 1e-3)
    assert tar.shape == (1,) and tar[0] == pytest.approx(all_pairs(rows, labels)[0].tar, abs=5e-3)


def test_an_identity_without_weight_is_not_there(rng: np.random.Generator) -> None:
    rows, labels = faces(rng, 20, 5)
    weights = np.ones((1, 20), np.float32)
    weights[0, 15:] = 0
    whole = IdentityPairs.of(rows, labels)
    part = IdentityPairs.of(rows[labels < 15], labels[labels < 15], n_identities=20, edges=whole.edges)
    assert whole.tar_at_far(weights, 0.01) == pytest.approx(part.tar_at_far(weights, 0.01), abs=1e-6)


def test_nothing_accepted_is_a_tar_of_nought(rng: np.random.Generator) -> None:
    rows, labels = faces(rng, 5, 3)
    assert IdentityPairs.of(rows, labels).tar_at_far(draw_weights(5, 0), 1e-9).tolist() == [0.0]


def test_draws_are_the_same_every_time_and_as_many_as_identities() -> None:
    weights = draw_weights(7, 50)
    assert (weights[0] == 1).all() and (weights.sum(1) == 7).all()
    np.testing.assert_array_equal(weights, draw_weights(7, 50))
    assert interval(np.arange(1001.0)) == (25.0, 975.0)


@pytest.mark.parametrize(
    ("labels", "said"), [([0, 0, 0], "two identities"), ([0, 1], "shape"), ([0, 1, 5000], "at most")]
)
def test_labels_that_do_not_fit_are_refused(labels: list[int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        IdentityPairs.of(np.eye(3, dtype=np.float32), np.array(labels))
