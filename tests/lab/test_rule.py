import numpy as np
import pytest

from embeddings import unit_rows
from facespace.cluster import agglomerative, collection_threshold
from facespace.errors import InputError
from facespace.measure.faces import EmbeddedFaces
from facespace.metrics import pairwise_scores
from lab.clustering.rule import RuleScores, best_number, measure_rule

DISTANCES: dict[str, float | None] = {"1e-2": 0.9, "1e-3": 0.7}


def faces(n_people: int) -> EmbeddedFaces:
    rng = np.random.default_rng(n_people)
    labels = np.repeat(np.arange(n_people), 9)
    rows = unit_rows(rng, n_people, 16)[labels] + 0.16 * rng.normal(size=(len(labels), 16)).astype(np.float32)
    return EmbeddedFaces(rows / np.linalg.norm(rows, axis=1, keepdims=True), labels, ())


def test_few_people_are_refused() -> None:
    with pytest.raises(InputError, match="8 people"):
        measure_rule(faces(7), DISTANCES)


def test_the_collection_of_all_people_scores_as_grouping_it_does() -> None:
    real, tried = faces(16), (0.2, 1.0, 2.0)
    small, whole = measure_rule(real, DISTANCES, tried=tried)
    assert (small.n_people, small.n_faces, whole.n_people, whole.n_faces) == (8, 72, 16, 144)
    for impostors, precision, f1 in zip(tried, whole.precision, whole.f1, strict=True):
        limit = collection_threshold(DISTANCES, 144, impostors=impostors).distance
        labels = agglomerative(real.embeddings, threshold=limit).labels.astype(np.int64)
        scores = pairwise_scores(real.labels, labels)
        assert (precision, f1) == pytest.approx((scores.precision, scores.f1))
    assert small == measure_rule(real, DISTANCES, tried=tried)[0]


def test_the_best_number_has_the_best_mean_over_sizes() -> None:
    good = (1.0, 1.0, 1.0)
    collections = [RuleScores(8, 70, good, (0.9, 0.8, 0.1)), RuleScores(16, 150, good, (0.1, 0.5, 0.9))]
    assert best_number(collections, tried=(1.0, 2.0, 3.0)) == 2.0
