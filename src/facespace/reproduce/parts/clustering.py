"""Section 5.7 at size: how the time of clustering grows."""

from collections.abc import Sequence

from facespace.evaluate.cluster_growth import GrowthPoint, exponent, measure_growth
from facespace.reproduce.blocks import MEASURED, Column, Plot, Result, Series, Table
from facespace.reproduce.context import Context
from facespace.reproduce.part import OnPicture, Part

__all__ = ["CLUSTERING"]

QUICK_SIZES = (3_000, 10_000, 30_000)
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)


def make(context: Context, on_picture: OnPicture) -> Result:
    """Cluster drawn faces of each size, a quick run up to 30,000."""
    sizes = QUICK_SIZES if context.options.quick else SIZES
    real = context.holdout.faces(context.holdout_rows(on_picture))
    points = measure_growth(real, context.embedder.spec.distances, sizes, on_progress=on_picture)
    last = points[-1]
    return Result(
        MEASURED,
        f"{last.n:,} faces are grouped in {last.seconds:,.0f} s ({last.processor_seconds:,.0f} s of processor time); "
        f"from {points[0].n:,} to {last.n:,} processor time grows as n^{exponent(points):.2f}.",
        (_plot(points), _table(points)),
        (
            "The paper clusters one user's photos and gives neither their number nor a time.",
            "The faces are drawn with the spreads within and between the people of faces/val; no real set of this "
            "size is at hand. Up to 100,000 groups the search is exact, beyond it looks among cells (its recall is "
            "given).",
            "A busy machine stretches the seconds by the clock, and processor time hardly.",
        ),
    )


def _plot(points: Sequence[GrowthPoint]) -> Plot:
    n = tuple(float(p.n) for p in points)
    processor = tuple(p.processor_seconds for p in points)
    return Plot(
        "Average linkage up to the collection's threshold.", "faces", "seconds",
        (
            Series(f"processor time, n^{exponent(points):.2f}", n, processor),
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


CLUSTERING = Part(
    "clustering",
    "Section 5.7: clustering at size",
    "Agglomerative clustering of a user's photos is shown; no size or time is given.",
    make,
    ("model", "data", "quick"),
)
