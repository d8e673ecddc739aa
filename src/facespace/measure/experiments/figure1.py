"""Distances between pictures of two people under pose and light (paper, Figure 1)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.distances import distance_matrix
from facespace.errors import DataError, ModelError
from facespace.faces.detect import Detector
from facespace.images import read_image
from facespace.measure.context import Context
from facespace.measure.experiment import experiment
from facespace.measure.paper import FIGURE1_THRESHOLD, holdout_differs, training_differs
from facespace.measure.result import MEASURED, Column, PictureRow, Pictures, Result, Table
from facespace.models import distance_at

LEAST_PICTURES = 12
RULE = (
    "Rule: person A has the most usual distances of all people with twelve pictures or more (the median nearest the "
    "median of all of them); B is the one of them who looks most like A to the model (nearest mean); of each the most "
    "frontal, the most turned, the darkest and the brightest picture."
)
ROLES = ("most frontal", "most turned", "darkest", "brightest")
MARGIN_PX = 56


@dataclass(frozen=True)
class Appearance:
    """How far the head is turned (nose off the middle of the eyes, over their distance), and how bright the face is."""

    turn: float
    light: float


@experiment(
    "Pairs of pictures of two people under different pose and light; the numbers between them are distances, and "
    "a threshold of 1.1 would classify every pair rightly.",
    needs=("data", "model", "detector", "workers"),
    example="--data DIR -o figure1.html",
    report={},
)
def run(context: Context) -> Result:
    """Choose two people and four pictures of each by a rule, and state all distances."""
    rows = context.rows(context.holdout)
    chosen = [
        _pictures_of(context, np.flatnonzero(context.holdout.labels == person))
        for person in _usual_and_alike(context, rows)
    ]
    idx = np.array([i for person in chosen for i in person])
    whose = np.repeat(np.arange(len(chosen)), [len(person) for person in chosen])
    distances = distance_matrix(rows[idx], rows[idx])
    names = [f"{'AB'[p]}{k + 1}" for p, person in enumerate(chosen) for k in range(len(person))]
    return Result(
        MEASURED, _headline(distances, whose, context), (_shown(context, chosen), _matrix(names, distances)),
        (
            "The paper chose its own pictures, which are not available, and says that a threshold of "
            f"{FIGURE1_THRESHOLD} separates every pair in its figure.",
            holdout_differs(context), training_differs(context),
        ),
    )  # fmt: skip


def _usual_and_alike(context: Context, rows: NDArray[np.float32]) -> tuple[int, int]:
    """The most usual person, and who is nearest to them."""
    labels = context.holdout.labels
    people = np.flatnonzero(np.bincount(labels) >= LEAST_PICTURES)
    if len(people) < 2:
        raise DataError(f"{context.holdout.name}: expected two people with {LEAST_PICTURES} pictures or more")
    medians = np.array([_own_median(rows[labels == person]) for person in people])
    usual = int(np.abs(medians - np.median(medians)).argmin())
    means = np.stack([rows[labels == person].mean(0) for person in people])
    apart = ((means - means[usual]) ** 2).sum(1)
    apart[usual] = np.inf
    return int(people[usual]), int(people[apart.argmin()])


def _own_median(own: NDArray[np.float32]) -> float:
    return float(np.median(distance_matrix(own, own)[np.triu_indices(len(own), 1)]))


def _pictures_of(context: Context, idx: NDArray[np.int64]) -> list[int]:
    """One picture for each role, none twice."""
    looks = {int(i): _appearance(read_image(context.holdout.paths[i]).pixels, context.detector) for i in idx}
    orders = (
        sorted(looks, key=lambda i: looks[i].turn),
        sorted(looks, key=lambda i: -looks[i].turn),
        sorted(looks, key=lambda i: looks[i].light),
        sorted(looks, key=lambda i: -looks[i].light),
    )
    chosen: list[int] = []
    for order in orders:
        chosen.append(next(i for i in order if i not in chosen))
    return chosen


def _appearance(crop: NDArray[np.uint8], detector: Detector) -> Appearance:
    """Of an aligned crop, which is set on a wider ground since detectors expect some."""
    light = float(crop[24:104, 24:88].mean())
    ground = np.pad(crop, ((MARGIN_PX, MARGIN_PX), (MARGIN_PX, MARGIN_PX), (0, 0)), mode="edge")
    found = detector.detect(ground)
    if not len(found):
        return Appearance(0.25, light)  # neither frontal nor turned: it is not chosen for either
    left, right, nose = found.landmarks_xy[int(found.scores.argmax())][:3]
    return Appearance(
        float(abs(nose[0] - (left[0] + right[0]) / 2) / max(abs(right[0] - left[0]), 1.0)), light
    )


def _headline(distances: NDArray[np.float32], whose: NDArray[np.int64], context: Context) -> str:
    i, j = np.triu_indices(len(whose), 1)
    same = whose[i] == whose[j]
    within, between = distances[i, j][same], distances[i, j][~same]
    separated = within.max() < between.min()
    verdict = (
        f"every threshold from {within.max():.2f} to {between.min():.2f} separates them all"
        if separated
        else f"no threshold separates them all ({int((within >= between.min()).sum())} of {len(within)} same pairs are "
        "farther than the closest different pair)"
    )
    return (
        f"Same person: {within.min():.2f} to {within.max():.2f}; different people: {between.min():.2f} to "
        f"{between.max():.2f}; {verdict}. {_own_threshold(context)}"
    )


def _own_threshold(context: Context) -> str:
    try:
        limit, _ = distance_at(context.embedder.spec.distances, 1e-3)
        return f"The model's threshold at FAR 1e-3 is {limit:.2f}."
    except ModelError:
        return "The model is not calibrated."


def _shown(context: Context, chosen: list[list[int]]) -> Pictures:
    rows = tuple(
        PictureRow(
            f"Person {'AB'[p]}",
            tuple(
                context.picture(context.holdout.paths[i], text=f"{'AB'[p]}{k + 1} {role}")
                for k, (i, role) in enumerate(zip(person, ROLES, strict=True))
            ),
        )
        for p, person in enumerate(chosen)
    )
    return Pictures(RULE, rows)


def _matrix(names: list[str], distances: NDArray[np.float32]) -> Table:
    columns = (Column(""), *(Column(name, "distance") for name in names[:-1]))
    rows = tuple(
        (names[i], *(round(float(distances[i, j]), 3) if j < i else "" for j in range(len(names) - 1)))
        for i in range(1, len(names))
    )
    return Table("Distance of each two of the pictures (squared L2, 0 to 4).", columns, rows)
