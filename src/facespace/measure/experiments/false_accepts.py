"""False accepts by age, sex and origin: what the threshold of one stated rate lets through in each group."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, groupby
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from facespace.measure.context import Context
from facespace.measure.experiment import Option, experiment
from facespace.measure.result import MEASURED, Column, Result, Table, not_run, plain
from facespace.measure.unnamed_faces import Group, read_held_out
from facespace.metrics import RateIntervals, rates_at
from facespace.models import VERIFY_FAR, common_threshold

MOST_FACES, LEAST_FACES = 1200, 150  # of a group; smaller ones are left out


@dataclass(frozen=True)
class PairRate:
    """False accepts between faces of two groups of a kind, or within one."""

    kind: str  # what the groups are, such as "age"
    first: str  # one group
    second: str  # the other; the same for pairs within one
    n_faces: int  # of both
    rates: RateIntervals  # FAR with its interval over draws of faces
    times: float  # the FAR over the stated one


@experiment(
    "The paper reports no figures by group.",
    report={},
)
def run(
    context: Context,
    *,
    root: Annotated[
        Path | None,
        Option(
            "Folder of index.csv.gz and zip archives of aligned crops of unnamed people; faces/more of the data "
            "folder unless given.",
            argument=True,
        ),
    ] = None,
    far: Annotated[
        float, Option("Stated false-accept rate; the model's threshold for it is used.", min=1e-6, max=0.5)
    ] = VERIFY_FAR,
    everything: Annotated[
        bool, Option("Measure all faces, not only the quarter on which no built-in model was trained.")
    ] = False,
) -> Result:
    """The rate at which two different people are taken for one, within each group and between groups of a kind."""
    folder = root or context.data / "faces" / "more"
    if root is None and not folder.is_dir():
        return not_run(
            "There are no faces by age, sex and origin.", remedy=f"lay out {folder} (docs/data.md)"
        )
    held_out = read_held_out(folder, context, everything=everything)
    rows, n_looked_at = held_out.rows, len(held_out.rows) + held_out.n_left_out
    spec = context.embedder.spec
    threshold = common_threshold(spec, spec, far)
    groups = [_thinned(group, held_out.chosen) for group in held_out.faces.groups()]
    large = [group for group in groups if len(group.members) >= LEAST_FACES]
    rates = list(_rates(large, rows, threshold, far))
    within = sorted((rate for rate in rates if rate.first == rate.second), key=lambda rate: -rate.times)
    between = sorted((rate for rate in rates if rate.first != rate.second), key=lambda rate: -rate.times)
    return Result(
        MEASURED,
        _headline(within, far),
        (_table("Within each group.", within), _table("Between groups.", between)),
        (
            f"{held_out.n_left_out} of {n_looked_at:,} pictures are left out: they show somebody again.",
            "All other pairs count as different people; a person whose two pictures differ much counts wrongly.",
        ),
        figures={"far": far, "threshold": threshold, "n_faces": len(rows), "groups": plain(rates)},
    )


def _thinned(group: Group, chosen: NDArray[np.int64]) -> Group:
    """A group as rows of the chosen faces, evenly spaced where they are too many."""
    rows = np.flatnonzero(np.isin(chosen, group.members))
    if len(rows) > MOST_FACES:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_FACES).astype(np.int64)]
    return Group(group.kind, group.name, rows)


def _rates(
    groups: list[Group], rows: NDArray[np.float32], threshold: float, far: float
) -> Iterator[PairRate]:
    for group in groups:
        found = rates_at(rows[group.members], group.members, threshold=threshold)
        yield _pair_rate(group, group, len(group.members), found, far)
    for _, of_kind in groupby(groups, key=lambda group: group.kind):
        for a, b in combinations(of_kind, 2):
            found = rates_at(rows[a.members], a.members, rows[b.members], b.members, threshold=threshold)
            yield _pair_rate(a, b, len(a.members) + len(b.members), found, far)


def _pair_rate(a: Group, b: Group, n_faces: int, found: RateIntervals, far: float) -> PairRate:
    return PairRate(a.kind, a.name, b.name, n_faces, found, (found.far or 0.0) / far)


def _headline(within: list[PairRate], far: float) -> str:
    if not within:
        return "No group has enough faces."
    worst, best = within[0], within[-1]
    return (
        f"At the distance that stands for FAR {far:g}, two people of one group are taken for one {best.times:.2g} to "
        f"{worst.times:.3g} times as often as that; most often within {worst.kind} {worst.first}."
    )


def _table(caption: str, rates: list[PairRate]) -> Table:
    columns = (
        Column("group"), Column("and"), Column("faces", "count"), Column("pairs", "count"), Column("FAR", "rate"),
        Column("95 %"), Column("times the stated rate"),
    )  # fmt: skip
    rows = tuple(
        (
            f"{rate.kind}: {rate.first}",
            "" if rate.first == rate.second else rate.second,
            rate.n_faces,
            rate.rates.n_diff,
            rate.rates.far,
            _interval(rate.rates),
            f"{rate.times:.2g}" if rate.times < 10 else f"{rate.times:.0f}",
        )
        for rate in rates
    )
    return Table(caption, columns, rows)


def _interval(rates: RateIntervals) -> str:
    found = rates.far_interval
    return "" if found is None else f"{found.low:.1e} to {found.high:.1e}"
