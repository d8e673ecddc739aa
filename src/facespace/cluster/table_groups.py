"""A FaceTable grouped by person, with what there is to say of the groups."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.cluster.constraints import Constraints, overlapping
from facespace.cluster.doubtful import DoubtfulGroup, find_doubtful_groups
from facespace.cluster.explain import Explanation, check_pair, explain
from facespace.cluster.incremental import group_good_faces
from facespace.cluster.linkage import agglomerative
from facespace.cluster.plan import Progress, Saved
from facespace.cluster.threshold import IMPOSTORS_IN_REACH, CollectionThreshold, collection_threshold
from facespace.cluster.tree import Clustering
from facespace.errors import IncompatibleModelsError, InputError
from facespace.metrics import bcubed_scores, pairwise_scores
from facespace.models import ModelSpec
from facespace.table import FaceTable
from facespace.workers import Workers


@dataclass(frozen=True)
class TableGroups:
    """The groups of a table.

    Attributes:
        labels: shape (N,), by size.
        threshold: the distance used.
        collection: the rate that it stands for; None for a distance that was named.
        recall: as of `Clustering`.
        doubtful: groups to look at.
        scores: against the identities that the table knows, else None.
        explanation: of the two faces asked for, else None.
    """

    labels: NDArray[np.int32]
    threshold: float
    collection: CollectionThreshold | None
    recall: float
    doubtful: tuple[DoubtfulGroup, ...]
    scores: dict[str, float] | None
    explanation: Explanation | None

    @property
    def n_people(self) -> int:
        """How many groups there are."""
        return int(self.labels.max(initial=-1)) + 1

    def to_json(self) -> dict[str, Any]:
        """The document that `facespace cluster --json` prints."""
        collection = self.collection
        return {
            "n_faces": len(self.labels),
            "n_people": self.n_people,
            "threshold": self.threshold,
            "far": collection.far if collection else None,
            "false_pairs": collection.false_pairs if collection else None,
            "extrapolated": collection.extrapolated if collection else None,
            "recall": self.recall,
            "heaps": list(self.doubtful),
            "scores": self.scores,
            "explanation": self.explanation,
        }


def group_table(
    table: FaceTable,
    spec: ModelSpec,
    *,
    impostors: float = IMPOSTORS_IN_REACH,
    far: float | None = None,
    threshold: float | None = None,
    min_quality: float = 0.0,
    explained: tuple[int, int] | None = None,
    saved: Saved | None = None,
    on_progress: Progress | None = None,
    workers: int | Workers | None = None,
) -> TableGroups:
    """Group the faces of a table by person, two of one photo apart, and two tracks of a video at one time.

    A track of a video counts as one face, the mean of its own.

    Args:
        table: of one model.
        spec: of that model; its distances give the threshold.
        impostors: expected number of impostors within reach of a face, from which the threshold follows; or
        far: the false-accept rate of a single pair; or
        threshold: a distance.
        min_quality: faces below it are set aside and attached later.
        explained: two faces whose verdict is explained.
        saved: see `agglomerative`.
        on_progress: see `agglomerative`.
        workers: see `agglomerative`.

    Raises:
        IncompatibleModelsError: the table was embedded by another model, and no distance is named.
        InputError: an explanation of faces that do not exist, or together with a least quality.
        ModelError: the model is not calibrated.
    """
    if threshold is None and table.model != spec.sha256:
        raise IncompatibleModelsError(
            f"expected a table of {spec.label}, this one was embedded by model {table.model[:8]}; "
            "name its file with --model, or give --threshold"
        )
    if explained and min_quality > 0:
        raise InputError(
            "explain: faces that were set aside have no place in the tree; leave out the least quality"
        )
    if explained:
        check_pair(*explained, len(table))
    rows, quality, of, constraints = _appearances(table)
    collection = None
    if threshold is None:
        collection = collection_threshold(spec.distances, len(rows), impostors=impostors, far=far)
        threshold = collection.distance
    if min_quality > 0:
        labels = group_good_faces(
            rows, quality, threshold=threshold, min_quality=min_quality, constraints=constraints,
            workers=workers,
        )  # fmt: skip
        tree = Clustering(labels, np.zeros((0, 4)))
    else:
        tree = agglomerative(
            rows,
            threshold=threshold,
            constraints=constraints,
            saved=saved,
            on_progress=on_progress,
            workers=workers,
        )
    why = None
    if explained:
        a, b = (int(of[face]) for face in explained)
        why = explain(rows, tree, a, b, threshold=threshold, constraints=constraints)
    doubtful = tuple(find_doubtful_groups(rows, tree.labels, threshold=threshold, quality=quality))
    labels = tree.labels[of]
    return TableGroups(labels, threshold, collection, tree.recall, doubtful, _scores(table, labels), why)


def _appearances(
    table: FaceTable,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], Constraints]:
    """What is grouped: faces of photos and tracks of videos, with their quality, which one each face of the table
    belongs to, and what may not come together.
    """
    if not (table.track >= 0).any():
        every = np.arange(len(table))
        return np.asarray(table.embedding), table.quality, every, Constraints(photo=table.photo_idx)
    alone = np.where(table.track < 0, np.arange(len(table)), -1)
    keys = np.stack([table.photo_idx, table.track, alone], axis=1)
    _, first, of = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    first, of = first[order], place[of.ravel()]
    means = np.zeros((len(first), table.embedding.shape[1]), np.float32)
    np.add.at(means, of, np.asarray(table.embedding))
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    times = np.where(np.isnan(table.time_s), 0.0, table.time_s)
    begin_s, end_s = np.full(len(first), np.inf), np.full(len(first), -np.inf)
    np.minimum.at(begin_s, of, times)
    np.maximum.at(end_s, of, times)
    in_video = table.track[first] >= 0
    photo = np.where(in_video, -1, table.photo_idx[first])
    apart = overlapping(np.where(in_video, table.photo_idx[first], -1), begin_s, end_s)
    return means, table.quality[first], of, Constraints(photo=photo, cannot_link=apart)


def _scores(table: FaceTable, labels: NDArray[np.int32]) -> dict[str, float] | None:
    truth = table.labels
    if truth is None or len(truth) < 2:  # no pair: a figure of nothing would be perfect
        return None
    pairs, bcubed = (
        pairwise_scores(truth, labels.astype(np.int64)),
        bcubed_scores(truth, labels.astype(np.int64)),
    )
    return {
        "pairwise_precision": pairs.precision,
        "pairwise_recall": pairs.recall,
        "pairwise_f1": pairs.f1,
        "bcubed_f1": bcubed.f1,
    }
