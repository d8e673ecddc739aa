"""Other ways to group embeddings, for comparison only: scikit-learn's, and chinese whispers as dlib's users run it.

Each maps embeddings to a function from a threshold (squared L2) to labels, in which no face is noise: what a
method leaves out stands alone.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn import cluster

from facespace.distances import distance_matrix

Rows = NDArray[np.float32]
Group = Callable[[float], NDArray[np.integer]]
WHISPERS = 100


def _sklearn_average(rows: Rows) -> Group:
    distance = distance_matrix(rows, rows).astype(np.float64)

    def group(threshold: float) -> NDArray[np.integer]:
        method = cluster.AgglomerativeClustering(
            n_clusters=None, distance_threshold=threshold, metric="precomputed", linkage="average"
        )
        return np.asarray(method.fit_predict(distance))

    return group


def _dbscan(rows: Rows) -> Group:
    distance = distance_matrix(rows, rows)
    return lambda threshold: _alone(
        cluster.DBSCAN(eps=threshold, min_samples=2, metric="precomputed").fit_predict(distance)
    )


def _hdbscan(rows: Rows) -> Group:
    return lambda size: _alone(cluster.HDBSCAN(min_cluster_size=int(size), copy=True).fit_predict(rows))


def _whispers(rows: Rows) -> Group:
    return lambda threshold: chinese_whispers(rows, threshold)


METHODS: dict[str, Callable[[Rows], Group]] = {
    "scikit-learn AgglomerativeClustering": _sklearn_average,
    "scikit-learn DBSCAN": _dbscan,
    "scikit-learn HDBSCAN": _hdbscan,
    "chinese whispers": _whispers,
}
# Knows no threshold: its least group size takes that place.
SIZES = {"scikit-learn HDBSCAN": (2.0, 3.0, 4.0, 5.0, 7.0, 10.0)}


def chinese_whispers(rows: Rows, threshold: float, *, seed: int = 0) -> NDArray[np.integer]:
    """Labels, shape (N,): each face in turn takes the label most frequent among the faces within the threshold.

    Source: Biemann 2006, "Chinese whispers"; edges of equal weight and at most 100 passes, as in dlib.

    Args:
        rows: unit rows, shape (N, D).
        threshold: squared L2 of an edge.
        seed: of the order of faces.
    """
    near = [np.flatnonzero(row <= threshold) for row in distance_matrix(rows, rows)]
    near = [others[others != i] for i, others in enumerate(near)]
    labels = np.arange(len(rows))
    rng = np.random.default_rng(seed)
    for _ in range(WHISPERS):
        changed = False
        for i in rng.permutation(len(rows)):
            if len(near[i]):
                names, votes = np.unique(labels[near[i]], return_counts=True)
                winner = names[votes.argmax()]
                changed |= bool(winner != labels[i])
                labels[i] = winner
        if not changed:
            break
    return labels


def _alone(labels: NDArray[np.integer]) -> NDArray[np.integer]:
    noise = labels < 0
    labels = labels.copy()
    labels[noise] = labels.max(initial=-1) + 1 + np.arange(noise.sum())
    return labels
