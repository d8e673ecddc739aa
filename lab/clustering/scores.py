"""Grouping, scored on real collections: our threshold and our best one, beside other methods at their best."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.cluster import Constraints, agglomerative, collection_threshold, cut
from facespace.errors import DataError, InputError
from facespace.extract import FaceDetector, FaceEmbedder
from facespace.gallery import read_labels
from facespace.measure.embedding import embed_faces
from facespace.measure.experiments.album import Album, extract_album
from facespace.measure.faces import open_crops
from facespace.metrics.clusters import ClusterReport, cluster_report
from lab.clustering.methods import METHODS, SIZES

COLLECTIONS = ("people", "val", "lfw")
GRID = np.geomspace(0.15, 1.9, 28)
# Along our own tree a threshold costs little.
FINE_GRID = np.geomspace(0.15, 1.9, 250)


@dataclass(frozen=True)
class ClusterRow:
    """One method on one collection.

    Attributes:
        collection: the faces.
        model: the embedder.
        method: what grouped them, and at which threshold.
        threshold: squared L2; for HDBSCAN, which has none, its least group size.
        report: scores over the labelled faces.
        seconds: of one run at that threshold.
    """

    collection: str
    model: str
    method: str
    threshold: float
    report: ClusterReport
    seconds: float


def score_collections(
    data: Path,
    embedders: Sequence[FaceEmbedder],
    detector: FaceDetector,
    *,
    collections: tuple[str, ...] = COLLECTIONS,
    on_collection: Callable[[str], None] | None = None,
) -> list[ClusterRow]:
    """All methods on each collection with each embedder.

    Args:
        data: folder of the data sets.
        embedders: calibrated models.
        detector: finds the faces of photos.
        collections: of "people" (650 photos), "val" (2,975 crops of 128 people) and "lfw" (its photos).
        on_collection: called with what comes next.

    Raises:
        DataError: data that is missing.
        InputError: another collection.
    """
    rows = []
    for collection in collections:
        for embedder in embedders:
            if on_collection:
                on_collection(f"{collection}: {embedder.spec.name}")
            faces = read_collection(data, collection, embedder, detector)
            found = score_collection(faces, embedder.spec.distances)
            rows += [ClusterRow(collection, embedder.spec.name, *row) for row in found]
    return rows


def read_collection(data: Path, collection: str, embedder: FaceEmbedder, detector: FaceDetector) -> Album:
    """The faces of one collection; arguments and errors as of `score_collections`."""
    if collection == "people":
        folder = data / "albums" / "people"
        return extract_album(folder, read_labels(folder / "labels.csv"), detector, embedder)
    if collection == "val":
        crops = open_crops(data / "faces" / "val")
        rows, alone = embed_faces(crops, embedder)[0], np.arange(len(crops.paths))
        boxes = np.zeros((len(rows), 4), np.float32)
        shown = tuple(path.name for path in crops.paths)
        return Album(rows, alone, boxes, alone, crops.labels, shown, crops.identities)
    if collection != "lfw":
        raise InputError(f"collection: expected one of {COLLECTIONS}, got {collection!r}")
    photos = sorted((data / "lfw").glob("*/*.jpg"))
    if not photos:
        raise DataError(f"{data / 'lfw'}: expected folders <Name>/<Name>_0001.jpg, met none")
    names = {str(path.relative_to(data / "lfw")): path.parent.name for path in photos}
    return extract_album(data / "lfw", names, detector, embedder)


def score_collection(
    faces: Album, distances: dict[str, float | None]
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
    faces: Album,
    group: Callable[[float], NDArray[np.integer]],
    tried: Sequence[float] = tuple(GRID),
) -> float:
    """The threshold of the best pairwise F1, chosen on the collection itself."""
    f1s = [_report(faces, group(float(threshold))).pairwise.f1 for threshold in tried]
    return float(tried[int(np.argmax(f1s))])


def _timed(
    name: str, faces: Album, group: Callable[[float], NDArray[np.integer]], threshold: float
) -> tuple[str, float, ClusterReport, float]:
    begin = time.perf_counter()
    labels = group(threshold)
    return name, threshold, _report(faces, labels), time.perf_counter() - begin


def _report(faces: Album, labels: NDArray[np.integer]) -> ClusterReport:
    """Over the labelled faces; a photo without a detected face is a person of its own."""
    return cluster_report(faces.truth, faces.labels_of(labels))
