"""How the time of clustering grows: drawn faces with the spreads of real ones, from thousands to a million."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.cluster import agglomerative, collection_threshold
from facespace.cluster.plan import Progress, Saved
from facespace.errors import InputError
from facespace.evaluate.holdout import HoldoutFaces
from facespace.metrics import pairwise_scores

__all__ = ["GrowthPoint", "draw_faces", "exponent", "measure_growth"]

FACES_PER_PERSON = 8
ROWS_AT_ONCE = 50_000


@dataclass(frozen=True)
class GrowthPoint:
    """One clustering of drawn faces by average linkage.

    Attributes:
        n: faces.
        threshold: squared L2, by the collection's size.
        seconds: by the clock.
        processor_seconds: of all cores.
        recall: recall@8 of the first search; 1 where all was exact.
        f1: pairwise, against the people drawn.
    """

    n: int
    threshold: float
    seconds: float
    processor_seconds: float
    recall: float
    f1: float


def draw_faces(real: HoldoutFaces, n: int, *, seed: int = 1) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit rows (N, D) of drawn people, with the covariances within and between people of real faces; and who is who.

    People have two faces or more, nine on average.

    Raises:
        InputError: fewer than two real people, or no face to draw.
    """
    if n < 1 or len(np.unique(real.labels)) < 2:
        raise InputError(f"draw: expected a face or more like those of two people or more, got {n}")
    rng = np.random.default_rng(seed)
    _, person = np.unique(real.labels, return_inverse=True)
    means = np.stack([real.embeddings[person == k].mean(0) for k in range(person.max() + 1)])
    within, between = _spread(real.embeddings - means[person]), _spread(means)
    sizes = 1 + rng.geometric(1 / FACES_PER_PERSON, n // 2 + 1)
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), n)) + 1]
    truth = np.repeat(np.arange(len(sizes)), sizes)[:n]
    people = real.embeddings.mean(0) + rng.standard_normal((len(sizes), len(within)), np.float32) @ between
    rows = np.empty((n, len(within)), np.float32)
    for begin in range(0, n, ROWS_AT_ONCE):
        who = truth[begin : begin + ROWS_AT_ONCE]
        noise = rng.standard_normal((len(who), len(within)), np.float32)
        rows[begin : begin + len(who)] = people[who] + noise @ within
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, truth


def measure_growth(
    real: HoldoutFaces,
    distances: dict[str, float | None],
    sizes: Sequence[int],
    *,
    keep: Callable[[int], Saved] | None = None,
    on_progress: Progress | None = None,
) -> list[GrowthPoint]:
    """Cluster drawn faces of each size, one after the other.

    Args:
        real: faces whose spreads are drawn with.
        distances: of their model, at each FAR.
        sizes: numbers of faces.
        keep: what keeps the long searches of a size, to go on from; see `agglomerative`.
        on_progress: called with (done, in all) over all sizes.
    """
    points = []
    for i, n in enumerate(sizes):
        rows, truth = draw_faces(real, n)
        limit = collection_threshold(distances, n).distance
        begun, whole = sum(sizes[:i]), sum(sizes)
        clock, processor = time.perf_counter(), time.process_time()
        found = agglomerative(
            rows,
            threshold=limit,
            saved=keep(n) if keep else None,
            on_progress=_told(on_progress, begun, n, whole),
        )
        seconds, used = time.perf_counter() - clock, time.process_time() - processor
        f1 = pairwise_scores(truth, found.labels.astype(np.int64)).f1
        points.append(GrowthPoint(n, limit, seconds, used, found.recall, f1))
    return points


def exponent(points: Sequence[GrowthPoint]) -> float:
    """The e of processor seconds = c n^e that fits the points best (least squares of logarithms)."""
    n, seconds = np.log([p.n for p in points]), np.log([p.processor_seconds for p in points])
    return float(np.polyfit(n, seconds, 1)[0])


def _spread(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """A matrix that gives standard normal rows, multiplied by it, the covariance of ``rows``."""
    covariance = np.cov(rows.T) + 1e-6 * np.eye(rows.shape[1])
    return np.linalg.cholesky(covariance).astype(np.float32).T


def _told(on_progress: Progress | None, begun: int, n: int, whole: int) -> Progress | None:
    if on_progress is None:
        return None
    return lambda done, total: on_progress(begun + n * done // max(1, total), whole)
