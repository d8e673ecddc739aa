"""Several models on the same faces: ROC (paper, Figure 5), and cost against accuracy (Figure 4)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.evaluate.sweeps.material import HoldoutMaterial
from facespace.evaluate.sweeps.score import Score
from facespace.metrics import PairCounts, count_pairs
from facespace.metrics.operating_point import MIN_FALSE_ACCEPTS
from facespace.models import ModelSpec
from facespace.models.summary import ModelSummary

__all__ = ["ModelCurve", "model_curve", "roc_points"]

POINTS_PER_DECADE = 12
LOWEST_FAR = 1e-6


@dataclass(frozen=True)
class ModelCurve:
    """One model on a hold-out set.

    Attributes:
        model: its label.
        name: for a legend.
        weights: without biases.
        multiply_adds: for one face.
        score: VAL at FAR 1e-3.
        far: rates from the lowest that the pairs support to 1.
        tar: VAL at each.
    """

    model: str
    name: str
    weights: int
    multiply_adds: int
    score: Score
    far: tuple[float, ...]
    tar: tuple[float, ...]


def model_curve(
    material: HoldoutMaterial, rows: NDArray[np.float32], spec: ModelSpec, summary: ModelSummary
) -> ModelCurve:
    """ROC, VAL and cost of the model of ``spec`` from its embeddings (N, D) of the material."""
    far, tar = roc_points(count_pairs(rows, material.labels))
    return ModelCurve(
        spec.label, spec.name, summary.weights, summary.multiply_adds, material.score(rows), far, tar
    )


def roc_points(counts: PairCounts) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(FAR, TAR) at rates evenly spaced on a log axis, from the lowest with ten false accepts behind it to 1."""
    n_same, n_diff = int(counts.same.sum()), int(counts.diff.sum())
    if not n_same or not n_diff:
        return (), ()
    lowest = max(LOWEST_FAR, MIN_FALSE_ACCEPTS / n_diff)
    n = int(-np.log10(lowest) * POINTS_PER_DECADE)
    rates = 10.0 ** (-np.arange(n, -1, -1) / POINTS_PER_DECADE)  # round rates, such as 1e-3, are among them
    points = [(rate, counts.tar_at_far(rate).tar) for rate in rates.tolist()]
    known = [(rate, tar) for rate, tar in points if tar is not None]
    return tuple(far for far, _ in known), tuple(float(tar) for _, tar in known)
