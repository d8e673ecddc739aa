"""How the time of clustering grows with the number of faces (paper, section 5.7, at size)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from facespace.cluster import agglomerative, collection_threshold
from facespace.cluster.plan import Progress, Saved
from facespace.errors import InputError
from facespace.measure.context import Context
from facespace.measure.experiment import Option, experiment
from facespace.measure.faces import EmbeddedFaces
from facespace.measure.result import MEASURED, Column, Plot, Result, Series, Table, plain
from facespace.metrics import pairwise_scores

QUICK_SIZES = (3_000, 10_000, 30_000)
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
FACES_PER_PERSON = 8
ROWS_AT_ONCE = 50_000


@dataclass(frozen=True)
class GrowthPoint:
    """One clustering of drawn faces by average linkage."""

    n: int  # faces
    threshold: float  # squared L2, by the collection's size
    seconds: float  # by the clock
    processor_seconds: float  # of all cores
    recall: float  # recall@8 of the first search; 1 where all was exact
    f1: float  # pairwise, against the people drawn


@experiment(
    "Agglomerative clustering of a user's photos is shown; no size or time is given.",
    needs=("data", "model", "quick", "workers"),
    example="--data DIR --sizes 10000 --sizes 30000",
    report={},
)
def run(
    context: Context,
    *,
    sizes: Annotated[
        tuple[int, ...],
        Option(
            "Numbers of faces; may be repeated. 10,000 to 1,000,000 unless given, with --quick 3,000 to 30,000."
        ),
    ] = (),
) -> Result:
    """Cluster drawn faces of each size, one after the other."""
    sizes = sizes or (QUICK_SIZES if context.setup.quick else SIZES)
    real, distances = context.embedded(context.holdout), context.embedder.spec.distances
    points = measure_growth(real, distances, sizes, on_progress=context.on_step)
    last, growth = points[-1], exponent(points)
    grows = (
        ""
        if growth is None
        else f"; from {points[0].n:,} to {last.n:,} processor time grows as n^{growth:.2f}"
    )
    return Result(
        MEASURED,
        f"{last.n:,} faces are grouped in {last.seconds:,.0f} s ({last.processor_seconds:,.0f} s of processor time)"
        f"{grows}.",
        (_plot(points), _table(points)),
        (
            "The paper clusters one user's photos and gives neither their number nor a time.",
            "The faces are drawn with the spreads within and between the people of faces/val; no real set of this size "
            "is available. Up to 100,000 groups the search is exact; beyond, it looks in cells (its recall is given).",
            "A busy machine stretches the seconds by the clock, and processor time hardly.",
        ),
        figures={"points": plain(points)},
    )


def draw_faces(
    real: EmbeddedFaces, n: int, *, seed: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
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
    within, between = spread_of(real.embeddings - means[person]), spread_of(means)
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
    real: EmbeddedFaces,
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
        keep: what keeps the long searches of a size, to continue from; see `agglomerative`.
        on_progress: called with (done, in all) over all sizes.
    """
    points = []
    for i, n in enumerate(sizes):
        rows, truth = draw_faces(real, n)
        limit = collection_threshold(distances, n).distance
        follow = _follow(on_progress, sum(sizes[:i]), n, sum(sizes))
        clock, processor = time.perf_counter(), time.process_time()
        found = agglomerative(rows, threshold=limit, saved=keep(n) if keep else None, on_progress=follow)
        seconds, used = time.perf_counter() - clock, time.process_time() - processor
        f1 = pairwise_scores(truth, found.labels.astype(np.int64)).f1
        points.append(GrowthPoint(n, limit, seconds, used, found.recall, f1))
    return points


def exponent(points: Sequence[GrowthPoint]) -> float | None:
    """The e of processor seconds = c n^e that fits the points best (least squares of logarithms); None of one."""
    if len(points) < 2:
        return None
    n, seconds = np.log([p.n for p in points]), np.log([p.processor_seconds for p in points])
    return float(np.polyfit(n, seconds, 1)[0])


def spread_of(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """A matrix that gives standard normal rows, multiplied by it, the covariance of ``rows``."""
    covariance = np.cov(rows.T) + 1e-6 * np.eye(rows.shape[1])
    return np.linalg.cholesky(covariance).astype(np.float32).T


def _follow(on_progress: Progress | None, begun: int, n: int, whole: int) -> Progress | None:
    if on_progress is None:
        return None
    return lambda done, total: on_progress(begun + n * done // max(1, total), whole)


def _plot(points: Sequence[GrowthPoint]) -> Plot:
    n = tuple(float(p.n) for p in points)
    processor = tuple(p.processor_seconds for p in points)
    return Plot(
        "Average linkage up to the collection's threshold.", "faces", "seconds",
        (
            Series("processor time", n, processor),
            Series("by the clock", n, tuple(p.seconds for p in points)),
            Series("n^2", (n[0], n[-1]), (processor[0], processor[0] * (n[-1] / n[0]) ** 2), paper=True),
        ),
        x_log=True, y_log=True,
    )  # fmt: skip


def _table(points: Sequence[GrowthPoint]) -> Table:
    columns = (
        Column("faces", "count"), Column("seconds", "seconds"), Column("processor seconds", "seconds"),
        Column("distance", "distance"), Column("recall@8 of the first search", "percent"),
        Column("pairwise F1 against the people drawn", "percent"),
    )  # fmt: skip
    rows = tuple((p.n, p.seconds, p.processor_seconds, p.threshold, p.recall, p.f1) for p in points)
    return Table("Time by size.", columns, rows)
