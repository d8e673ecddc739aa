"""Which number of impostors within the threshold of a face groups best, on collections of several sizes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facespace.cluster import agglomerative, collection_threshold, cut
from facespace.errors import InputError
from facespace.measure.faces import EmbeddedFaces
from facespace.metrics import pairwise_scores

TRIED = (1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 12.0, 20.0)
PEOPLE = (8, 16, 32, 64, 128, 256, 512)
DRAWS = 8


@dataclass(frozen=True)
class RuleScores:
    """Collections of so many people with all their faces, drawn several times; means over the draws.

    Attributes:
        n_people: people in each collection.
        n_faces: faces of a collection.
        precision: pairwise, at each number tried, shape (T,).
        f1: pairwise F1, likewise.
    """

    n_people: int
    n_faces: float
    precision: tuple[float, ...]
    f1: tuple[float, ...]


def measure_rule(
    faces: EmbeddedFaces, distances: dict[str, float | None], *, tried: Sequence[float] = TRIED
) -> list[RuleScores]:
    """Group collections of 8 to 512 whole people, as far as there are so many, at every number of impostors.

    Args:
        faces: embeddings of known people.
        distances: of their model, at each FAR.
        tried: numbers of impostors.

    Raises:
        InputError: fewer than eight people.
        ModelError: the model is not calibrated.
    """
    people = np.unique(faces.labels)
    if len(people) < PEOPLE[0]:
        raise InputError(f"expected faces of {PEOPLE[0]} people or more, got {len(people)}")
    rng = np.random.default_rng(0)
    made = []
    for n in (n for n in PEOPLE if n <= len(people)):
        n_faces, scores = [], []
        for _ in range(DRAWS if n < len(people) else 1):
            chosen = np.isin(faces.labels, rng.choice(people, n, replace=False))
            rows, truth = faces.embeddings[chosen], faces.labels[chosen]
            limits = [collection_threshold(distances, len(rows), impostors=s).distance for s in tried]
            tree = agglomerative(rows, threshold=max(limits)).merges
            cuts = (cut(tree, len(rows), threshold=limit).astype(np.int64) for limit in limits)
            n_faces.append(len(rows))
            scores.append([(s.precision, s.f1) for s in (pairwise_scores(truth, labels) for labels in cuts)])
        precision, f1 = np.mean(scores, axis=0).T.tolist()
        made.append(RuleScores(n, float(np.mean(n_faces)), tuple(precision), tuple(f1)))
    return made


def best_number(collections: Sequence[RuleScores], tried: Sequence[float] = TRIED) -> float:
    """The number with the best mean F1 over all collections, each size counting once."""
    return float(tried[int(np.mean([scores.f1 for scores in collections], axis=0).argmax())])
