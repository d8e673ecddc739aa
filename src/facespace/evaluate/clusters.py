"""Grouping, scored on real piles of faces: our threshold and our best one, beside other methods at their best."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.cluster import Constraints, agglomerative, collection_threshold, cut
from facespace.errors import DataError, InputError
from facespace.evaluate.album import AlbumFaces, extract_album
from facespace.evaluate.cluster_methods import METHODS, SIZES
from facespace.evaluate.holdout import embed_holdout
from facespace.extract import FaceDetector, FaceEmbedder
from facespace.gallery import read_labels
from facespace.metrics.clusters import ClusterReport, cluster_report

__all__ = ["PILES", "ClusterRow", "evaluate_clusters", "read_pile", "score_pile"]

PILES = ("people", "val", "lfw")
GRID = np.geomspace(0.15, 1.9, 28)
# Along our own tree a threshold costs little.
FINE_GRID = np.geomspace(0.15, 1.9, 250)


@dataclass(frozen=True)
class ClusterRow:
    """One method on one pile.

    Attributes:
        pile: the faces.
        model: the embedder.
        method: what grouped them, and at which threshold.
        threshold: squared L2; for HDBSCAN, which has none, its least group size.
        report: scores over the labelled faces.
        seconds: of one run at that threshold.
    """

    pile: str
    model: str
    method: str
    threshold: float
    report: ClusterReport
    seconds: float


def evaluate_clusters(
    data: Path,
    embedders: Sequence[FaceEmbedder],
    detector: FaceDetector,
    *,
    piles: tuple[str, ...] = PILES,
    on_pile: Callable[[str], None] | None = None,
) -> list[ClusterRow]:
    """All methods on each pile with each embedder.

    Args:
        data: folder of the data sets.
        embedders: calibrated models.
        detector: finds the faces of photos.
        piles: of "people" (650 photos of 30 people), "val" (2,975 crops of 128 people) and "lfw" (its photos at hand).
        on_pile: called with what comes next.

    Raises:
        DataError: data that is missing.
        InputError: another pile.
    """
    rows = []
    for pile in piles:
        for embedder in embedders:
            if on_pile:
                on_pile(f"{pile}: {embedder.spec.name}")
            faces = read_pile(data, pile, embedder, detector)
            found = score_pile(faces, embedder.spec.distances)
            rows += [ClusterRow(pile, embedder.spec.name, *row) for row in found]
    return rows


def read_pile(data: Path, pile: str, embedder: FaceEmbedder, detector: FaceDetector) -> AlbumFaces:
    """The faces of one pile; arguments and errors as of `evaluate_clusters`."""
    if pile == "people":
        folder = data / "albums" / "people"
        return extract_album(folder, read_labels(folder / "labels.csv"), detector, embedder)
    if pile == "val":
        faces = embed_holdout(data / "faces" / "val", embedder)
        alone = np.arange(len(faces.labels))
        return AlbumFaces(faces.embeddings, alone, alone, faces.labels)
    if pile != "lfw":
        raise InputError(f"pile: expected one of {PILES}, got {pile!r}")
    photos = sorted((data / "lfw").glob("*/*.jpg"))
    if not photos:
        raise DataError(f"{data / 'lfw'}: expected folders <Name>/<Name>_0001.jpg, met none")
    names = {str(path.relative_to(data / "lfw")): path.parent.name for path in photos}
    return extract_album(data / "lfw", names, detector, embedder)


def score_pile(
    faces: AlbumFaces, distances: dict[str, float | None]
) -> list[tuple[str, float, ClusterReport, float]]:
    """(method, threshold, scores, seconds): ours at the calibrated threshold and at its best, others at their best."""
    calibrated = collection_threshold(distances, len(faces.embeddings)).distance
    constraints = Constraints(photo=faces.photo_idx)

    def ours(threshold: float) -> NDArray[np.integer]:
        return agglomerative(faces.embeddings, threshold=threshold, constraints=constraints).labels

    tree = agglomerative(faces.embeddings, threshold=np.inf, constraints=constraints).merges

    def along_the_tree(threshold: float) -> NDArray[np.integer]:
        return cut(tree, len(faces.embeddings), threshold=threshold)

    best = _best(faces, along_the_tree, (*FINE_GRID, calibrated))
    rows = [
        _timed("facespace, calibrated threshold", faces, ours, calibrated),
        _timed("facespace, best threshold", faces, ours, best),
    ]
    for name, prepare in METHODS.items():
        group = prepare(faces.embeddings)
        best = _best(faces, group, SIZES.get(name, tuple(GRID)))
        rows.append(
            _timed(
                f"{name}, best {'size' if name in SIZES else 'threshold'}",
                faces,
                prepare(faces.embeddings),
                best,
            )
        )
    return rows


def _best(
    faces: AlbumFaces,
    group: Callable[[float], NDArray[np.integer]],
    tried: Sequence[float] = tuple(GRID),
) -> float:
    """The threshold of the best pairwise F1, chosen on the pile itself."""
    f1s = [_report(faces, group(float(threshold))).pairwise.f1 for threshold in tried]
    return float(tried[int(np.argmax(f1s))])


def _timed(
    name: str, faces: AlbumFaces, group: Callable[[float], NDArray[np.integer]], threshold: float
) -> tuple[str, float, ClusterReport, float]:
    begin = time.perf_counter()
    labels = group(threshold)
    return name, threshold, _report(faces, labels), time.perf_counter() - begin


def _report(faces: AlbumFaces, labels: NDArray[np.integer]) -> ClusterReport:
    """Over the labelled faces; a photo without a detected face is a person of its own."""
    missed = faces.labelled < 0
    found = np.zeros(len(faces.labelled), np.int64)
    found[~missed] = labels[faces.labelled[~missed]]
    found[missed] = labels.max(initial=-1) + 1 + np.arange(missed.sum())
    return cluster_report(faces.truth, found)
