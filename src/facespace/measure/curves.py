"""Models on the validation faces: VAL, ROC and cost; and the trained runs that stand for the paper's networks."""

from dataclasses import dataclass

import numpy as np

from facespace.embed import Embedder
from facespace.measure.context import Context
from facespace.measure.paper import NETWORKS
from facespace.measure.sweep import Score, score_holdout
from facespace.metrics import PairCounts, count_pairs
from facespace.metrics.operating_point import MIN_FALSE_ACCEPTS
from facespace.models.summary import summarise

__all__ = ["REMEDY", "Measured", "measure_model", "measured_models", "roc_points", "runs_of"]

REMEDY = "facespace train RECIPE --data DIR --out RUNS/NAME, then facespace measure report --runs RUNS"
POINTS_PER_DECADE = 12
LOWEST_FAR = 1e-6


@dataclass(frozen=True)
class Measured:
    """A model on the validation faces.

    Attributes:
        title: for people.
        network: the recipe's; "" for a model that no run stands behind.
        budget: how long it was trained, on what.
        dim: components of its embedding.
        input_hw: rows and columns of its input.
        weights: without biases.
        multiply_adds: for one face.
        score: VAL at FAR 1e-3.
        far: rates from the lowest that the pairs support to 1.
        tar: VAL at each.
    """

    title: str
    network: str
    budget: str
    dim: int
    input_hw: tuple[int, int]
    weights: int
    multiply_adds: int
    score: Score
    far: tuple[float, ...]
    tar: tuple[float, ...]


def measured_models(context: Context) -> list[Measured]:
    """The context's own model, then the trained runs."""
    own = context.embedder
    runs = [(run, Embedder(run.model)) for run in context.runs]
    return [
        measure_model(context, own, own.spec.name, budget=own.spec.training_data),
        *(measure_model(context, model, run.name, run.network, run.budget()) for run, model in runs),
    ]


def measure_model(
    context: Context, embedder: Embedder, title: str, network: str = "", budget: str = ""
) -> Measured:
    """One model; what is told of it goes into the result as it is."""
    faces, spec, cost = context.embedded(context.holdout, embedder), embedder.spec, summarise(embedder.path)
    far, tar = roc_points(count_pairs(faces.embeddings, faces.labels))
    return Measured(
        title, network, budget, spec.dim, spec.input_hw, cost.weights, cost.multiply_adds, score_holdout(faces),
        far, tar,
    )  # fmt: skip


def runs_of(network: str, models: list[Measured]) -> list[Measured]:
    """The runs of a network of the paper: its own input, 128 components, and no other model in its place."""
    printed = next(n for n in NETWORKS if n.key == network)
    return [m for m in models if m.network == network and m.input_hw == printed.input_hw and m.dim == 128]


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
