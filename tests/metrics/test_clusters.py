import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, pair_confusion_matrix

from facespace.errors import InputError
from facespace.metrics import bcubed_scores, pairwise_scores
from facespace.metrics.clusters import cluster_report

labellings = st.integers(1, 25).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 4), min_size=n, max_size=n),
        st.lists(st.integers(-1, 4), min_size=n, max_size=n),
    )
)


def test_nothing_is_grouped_perfectly() -> None:
    nothing = np.zeros(0, int)
    assert pairwise_scores(nothing, nothing).f1 == bcubed_scores(nothing, nothing).f1 == 1.0


@settings(deadline=None)
@given(labellings)
def test_pairwise_scores_are_those_of_a_list_of_pairs(both: tuple[list[int], list[int]]) -> None:
    truth, found = map(np.array, both)
    scores = pairwise_scores(truth, found)
    pairs = list(itertools.combinations(range(len(truth)), 2))
    belong = {p for p in pairs if truth[p[0]] == truth[p[1]]}
    together = {p for p in pairs if found[p[0]] == found[p[1]]}
    assert scores.precision == pytest.approx(len(belong & together) / len(together) if together else 1.0)
    assert scores.recall == pytest.approx(len(belong & together) / len(belong) if belong else 1.0)
    assert pair_confusion_matrix(truth, found)[1, 1] == 2 * len(belong & together)


@settings(deadline=None)
@given(labellings)
def test_bcubed_scores_are_those_of_a_loop_over_faces(both: tuple[list[int], list[int]]) -> None:
    truth, found = map(np.array, both)
    precision = np.mean([(truth[found == found[i]] == truth[i]).mean() for i in range(len(truth))])
    recall = np.mean([(found[truth == truth[i]] == found[i]).mean() for i in range(len(truth))])
    scores = bcubed_scores(truth, found)
    assert (scores.precision, scores.recall) == (pytest.approx(precision), pytest.approx(recall))
    assert scores.f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_labels_of_two_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="one shape"):
        pairwise_scores(np.zeros(2, int), np.zeros(3, int))


@settings(deadline=None)
@given(labellings)
def test_purity_and_adjusted_rand_are_those_of_the_plain_definitions(
    both: tuple[list[int], list[int]],
) -> None:
    truth, found = map(np.array, both)
    most = sum(np.unique(truth[found == k], return_counts=True)[1].max() for k in np.unique(found))
    report = cluster_report(truth, found)
    assert report.purity == pytest.approx(most / len(truth))
    assert report.adjusted_rand == pytest.approx(adjusted_rand_score(truth, found))
    assert (report.n_true, report.n_found) == (len(set(both[0])), len(set(both[1])))
    assert report.pairwise == pairwise_scores(truth, found)


def test_the_report_of_nothing_is_perfect() -> None:
    nothing = np.zeros(0, int)
    report = cluster_report(nothing, nothing)
    assert (report.purity, report.adjusted_rand, report.n_true, report.n_found) == (1.0, 1.0, 0, 0)
