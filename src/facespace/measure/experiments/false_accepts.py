"""False accepts by age, sex and origin: what the threshold of one stated rate lets through in each group."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.measure.context import Context
from facespace.measure.experiment import Experiment, option
from facespace.measure.result import MEASURED, Column, Result, Table, not_run, plain
from facespace.measure.unnamed_faces import Group, read_held_out
from facespace.metrics import RateIntervals, rates_at
from facespace.models import VERIFY_FAR, common_threshold


@dataclass(frozen=True)
class Options:
    """Which faces, and at which rate."""

    root: Path | None = option(
        None,
        "Folder of index.csv.gz and zip archives of aligned crops of unnamed people; faces/more of the data "
        "folder unless given.",
        argument=True,
    )
    far: float = option(
        VERIFY_FAR, "Stated false-accept rate; the model's threshold for it is used.", min=1e-6, max=0.5
    )
    faces: int = option(1200, "Most faces of a group.", min=2)
    least: int = option(150, "Smaller groups are left out.", min=2)
    everything: bool = option(
        False, "Measure all faces, not only the quarter on which no built-in model was trained."
    )


@dataclass(frozen=True)
class PairRate:
    """False accepts between faces of two groups of a kind, or within one."""

    kind: str  # what the groups are, such as "age"
    first: str  # one group
    second: str  # the other; the same for pairs within one
    n_faces: int  # of both
    rates: RateIntervals  # FAR with its interval over draws of faces
    times: float  # the FAR over the stated one


def run(options: Options, context: Context) -> Result:
    """The rate at which two different people are taken for one, within each group and between groups of a kind."""
    root = options.root or context.data / "faces" / "more"
    if options.root is None and not root.is_dir():
        return not_run("There are no faces by age, sex and origin.", remedy=f"lay out {root} (docs/data.md)")
    held_out = read_held_out(root, context, everything=options.everything)
    rows, n_looked_at = held_out.rows, len(held_out.rows) + held_out.n_left_out
    spec = context.embedder.spec
    threshold = common_threshold(spec, spec, options.far)
    groups = [_thinned(group, held_out.chosen, options) for group in held_out.faces.groups()]
    large = [group for group in groups if len(group.members) >= options.least]
    rates = list(_rates(large, rows, threshold, options.far))
    within = sorted((rate for rate in rates if rate.first == rate.second), key=lambda rate: -rate.times)
    between = sorted((rate for rate in rates if rate.first != rate.second), key=lambda rate: -rate.times)
    return Result(
        MEASURED,
        _headline(within, options.far),
        (_table("Within each group.", within), _table("Between groups.", between)),
        (
            f"{held_out.n_left_out} of {n_looked_at:,} pictures are left out: they show somebody again.",
            "All other pairs count as different people; a person whose two pictures differ much counts wrongly.",
        ),
        figures={"far": options.far, "threshold": threshold, "n_faces": len(rows), "groups": plain(rates)},
    )


def _thinned(group: Group, chosen: NDArray[np.int64], options: Options) -> Group:
    """A group as rows of the chosen faces, evenly spaced where they are too many."""
    rows = np.flatnonzero(np.isin(chosen, group.members))
    if len(rows) > options.faces:
        rows = rows[np.linspace(0, len(rows) - 1, options.faces).astype(np.int64)]
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


EXPERIMENT = Experiment(
    paper="The paper reports no figures by group.",
    run=run,
    report={},
)
