"""Grouping, scored on real collections: ours beside scikit-learn's methods, and chinese whispers as in dlib.

A method maps faces to a function from a threshold (squared L2) to labels, in which no face is noise: what a method
leaves out stands alone. The threshold with the best pairwise F1 is chosen on the collection itself.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn import cluster

from facespace.cluster import Constraints, agglomerative, collection_threshold, cut
from facespace.distances import distance_matrix
from facespace.errors import DataError, InputError
from facespace.gallery import read_labels
from facespace.measure.context import Context
from facespace.measure.experiments.album import ALBUM, Album, extract_album
from facespace.metrics.clusters import ClusterReport, cluster_report

COLLECTIONS = ("people", "val", "lfw")
GRID = tuple(np.geomspace(0.15, 1.9, 28))
FINE_GRID = tuple(np.geomspace(0.15, 1.9, 250))  # along our own tree a threshold costs little
GROUP_SIZES = (2.0, 3.0, 4.0, 5.0, 7.0, 10.0)
WHISPERS = 100
CALIBRATED, BEST = "facespace, calibrated threshold", "facespace, best threshold"
HEADINGS = ("collection", "model", "method", "distance", "pair P", "R", "F1", "BCubed F1", "purity", "adj. Rand",
            "people", "found", "s")  # fmt: skip
PAGE = """# Clustering, scored

Written by the command below. `people` is 650 photos of 30 people (the largest face of each is labelled, all faces are
grouped), `val` the crops of `faces/val`, `lfw` the photos of LFW's folds 1 to 5. Best thresholds and sizes are chosen
on the collection itself: ceilings, not figures to expect. HDBSCAN knows no distance; its least group size stands
there. Seconds are by the clock of the machine, whatever else it did.

    {command}

"""

Labels = NDArray[np.integer]
Method = Callable[[Album], Callable[[float], Labels]]


def _ours(faces: Album) -> Callable[[float], Labels]:
    constraints = Constraints(photo=faces.photo_idx)
    tree = agglomerative(faces.embeddings, threshold=np.inf, constraints=constraints).merges
    return lambda threshold: cut(tree, len(faces.embeddings), threshold=threshold)


def average_of_sklearn(faces: Album) -> Callable[[float], Labels]:
    """Average linkage, unconstrained."""
    distance = distance_matrix(faces.embeddings, faces.embeddings).astype(np.float64)
    return lambda threshold: np.asarray(
        cluster.AgglomerativeClustering(
            n_clusters=None, distance_threshold=threshold, metric="precomputed", linkage="average"
        ).fit_predict(distance)
    )


def _dbscan(faces: Album) -> Callable[[float], Labels]:
    distance = distance_matrix(faces.embeddings, faces.embeddings)
    return lambda threshold: _alone(
        cluster.DBSCAN(eps=threshold, min_samples=2, metric="precomputed").fit_predict(distance)
    )


def _hdbscan(faces: Album) -> Callable[[float], Labels]:
    """Knows no threshold: its least group size takes that place."""
    return lambda size: _alone(
        cluster.HDBSCAN(min_cluster_size=int(size), copy=True).fit_predict(faces.embeddings)
    )


def _whispers(faces: Album) -> Callable[[float], Labels]:
    return lambda threshold: chinese_whispers(faces.embeddings, threshold)


OTHERS: tuple[tuple[str, Method, Sequence[float]], ...] = (
    ("scikit-learn AgglomerativeClustering, best threshold", average_of_sklearn, GRID),
    ("scikit-learn DBSCAN, best threshold", _dbscan, GRID),
    ("scikit-learn HDBSCAN, best size", _hdbscan, GROUP_SIZES),
    ("chinese whispers, best threshold", _whispers, GRID),
)


@dataclass(frozen=True)
class Scored:
    """One method on one collection.

    Attributes:
        method: what grouped, and at which threshold.
        threshold: squared L2; for HDBSCAN, which has none, its least group size.
        report: scores over the labelled faces; a photo without a detected face is a person of its own.
        seconds: of one run at that threshold.
    """

    method: str
    threshold: float
    report: ClusterReport
    seconds: float


def score_methods(faces: Album, distances: dict[str, float | None]) -> Iterator[Scored]:
    """Ours at the threshold that the model's ``distances`` give, and each method at its best.

    Raises:
        ModelError: the model is not calibrated.
    """
    calibrated = collection_threshold(distances, len(faces.embeddings)).distance
    ours = ((CALIBRATED, _ours, (calibrated,)), (BEST, _ours, (*FINE_GRID, calibrated)))
    for name, method, tried in (*ours, *OTHERS):
        group = method(faces)
        reports = [cluster_report(faces.truth, faces.labels_of(group(float(value)))) for value in tried]
        best = int(np.argmax([report.pairwise.f1 for report in reports]))
        begin = time.perf_counter()
        method(faces)(float(tried[best]))
        yield Scored(name, float(tried[best]), reports[best], time.perf_counter() - begin)


def read_collection(context: Context, collection: str) -> Album:
    """The faces of one collection: "people" (650 photos), "val" (2,975 crops of 128 people) or "lfw" (its photos).

    Raises:
        DataError: data that is missing.
        InputError: another collection.
    """
    data = context.data
    if collection == "people":
        return extract_album(context, data / ALBUM, read_labels(data / ALBUM / "labels.csv"))
    if collection == "val":
        crops = context.holdout
        rows, alone = context.rows(crops), np.arange(len(crops.paths))
        boxes = np.zeros((len(rows), 4), np.float32)
        shown = tuple(path.name for path in crops.paths)
        return Album(rows, alone, boxes, alone, crops.labels, shown, crops.identities)
    if collection != "lfw":
        raise InputError(f"collection: expected one of {COLLECTIONS}, got {collection!r}")
    photos = sorted((data / "lfw").glob("*/*.jpg"))
    if not photos:
        raise DataError(f"{data / 'lfw'}: expected folders <Name>/<Name>_0001.jpg, met none")
    names = {str(path.relative_to(data / "lfw")): path.parent.name for path in photos}
    return extract_album(context, data / "lfw", names)


def render_page(rows: Mapping[tuple[str, str], Sequence[Scored]], command: str) -> str:
    """All scores by collection and model in Markdown, and how near the calibrated threshold comes to the best."""
    lines = [f"| {' | '.join(HEADINGS)} |", "|" + "---|" * len(HEADINGS)]
    lines += [f"| {' | '.join([*of, *_cells(row)])} |" for of, scored in rows.items() for row in scored]
    lines.append("")
    for (collection, model), scored in rows.items():
        f1 = {row.method: row.report.pairwise.f1 for row in scored}
        lines.append(f"- {collection}, {model}: {f1[BEST] - f1[CALIBRATED]:.3f} F1 below the best threshold.")
    return PAGE.format(command=command) + "\n".join(lines) + "\n"


def _cells(row: Scored) -> list[str]:
    r = row.report
    scores = (r.pairwise.precision, r.pairwise.recall, r.pairwise.f1, r.bcubed.f1, r.purity, r.adjusted_rand)
    figures = [f"{value:.3f}" for value in (row.threshold, *scores)]
    return [row.method, *figures, str(r.n_true), str(r.n_found), f"{row.seconds:.2f}"]


def chinese_whispers(rows: NDArray[np.float32], threshold: float, *, seed: int = 0) -> Labels:
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


def _alone(labels: Labels) -> Labels:
    noise = labels < 0
    labels = labels.copy()
    labels[noise] = labels.max(initial=-1) + 1 + np.arange(noise.sum())
    return labels
