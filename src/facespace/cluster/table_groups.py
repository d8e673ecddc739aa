"""A FaceTable grouped by person, with what there is to say of the groups."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.cluster.constraints import Constraints
from facespace.cluster.explain import Explanation, check_pair, explain
from facespace.cluster.heaps import Heap, find_heaps
from facespace.cluster.incremental import group_good_faces
from facespace.cluster.linkage import agglomerative
from facespace.cluster.plan import Progress, Saved
from facespace.cluster.threshold import STRANGERS_IN_REACH, CollectionThreshold, collection_threshold
from facespace.cluster.tree import Clustering
from facespace.errors import IncompatibleModelsError, InputError
from facespace.metrics import bcubed_scores, pairwise_scores
from facespace.models import ModelSpec
from facespace.table import FaceTable

__all__ = ["GroupOptions", "TableGroups", "group_table"]


@dataclass(frozen=True)
class GroupOptions:
    """How a table is grouped.

    Attributes:
        strangers: expected number of strangers within reach of a face, from which the threshold follows; or
        far: the false-accept rate of a single pair; or
        threshold: a distance.
        min_quality: faces below it are set aside and attached later.
        explain: two faces whose verdict is explained.
    """

    strangers: float = STRANGERS_IN_REACH
    far: float | None = None
    threshold: float | None = None
    min_quality: float = 0.0
    explain: tuple[int, int] | None = None


@dataclass(frozen=True)
class TableGroups:
    """The groups of a table.

    Attributes:
        labels: shape (N,), by size.
        threshold: the distance used.
        collection: the rate that it stands for; None for a distance that was named.
        recall: as of `Clustering`.
        heaps: groups to look at.
        scores: against the identities that the table knows, else None.
        explanation: of the two faces asked for, else None.
    """

    labels: NDArray[np.int32]
    threshold: float
    collection: CollectionThreshold | None
    recall: float
    heaps: tuple[Heap, ...]
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
            "heaps": list(self.heaps),
            "scores": self.scores,
            "explanation": self.explanation,
        }


def group_table(
    table: FaceTable,
    spec: ModelSpec,
    options: GroupOptions,
    *,
    saved: Saved | None = None,
    on_progress: Progress | None = None,
) -> TableGroups:
    """Group the faces of a table by person, two of one photo apart.

    Args:
        table: of one model.
        spec: of that model; its distances give the threshold.
        options: how.
        saved: see `agglomerative`.
        on_progress: see `agglomerative`.

    Raises:
        IncompatibleModelsError: the table was embedded by another model, and no distance is named.
        InputError: an explanation of faces that do not exist, or together with a least quality.
        ModelError: the model is not calibrated.
    """
    if options.threshold is None and table.model != spec.sha256:
        raise IncompatibleModelsError(
            f"expected a table of {spec.label}, this one was embedded by model {table.model[:8]}; "
            "name its file with --model, or give --threshold"
        )
    if options.explain and options.min_quality > 0:
        raise InputError(
            "explain: faces that were set aside have no place in the tree; leave out the least quality"
        )
    if options.explain:
        check_pair(*options.explain, len(table))
    collection = None
    if options.threshold is None:
        collection = collection_threshold(
            spec.distances, len(table), strangers=options.strangers, far=options.far
        )
    limit = options.threshold if collection is None else collection.distance
    assert limit is not None
    rows, constraints = np.asarray(table.embedding), Constraints(photo=table.photo_idx)
    if options.min_quality > 0:
        labels = group_good_faces(
            rows, table.quality, threshold=limit, min_quality=options.min_quality, constraints=constraints
        )
        tree = Clustering(labels, np.zeros((0, 4)))
    else:
        tree = agglomerative(
            rows, threshold=limit, constraints=constraints, saved=saved, on_progress=on_progress
        )
    why = None
    if options.explain:
        why = explain(rows, tree, *options.explain, threshold=limit, constraints=constraints)
    heaps = tuple(find_heaps(rows, tree.labels, threshold=limit, quality=table.quality))
    return TableGroups(tree.labels, limit, collection, tree.recall, heaps, _scores(table, tree.labels), why)


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
