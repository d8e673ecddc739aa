"""Pairs of people at different ages: accuracy over folds, and errors by the gap of ages where a table gives ages."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError
from facespace.measure.context import Context
from facespace.measure.experiment import Option, experiment
from facespace.measure.pairs import Mode, PairDistances, PairList, read_pairs, score_pairs
from facespace.measure.paper import training_differs
from facespace.measure.result import MEASURED, Cell, Column, Result, Table, mean_se, plain
from facespace.spreadsheets import read_table, refuse_rows

GAPS = (0, 5, 10, 20, 30)  # in years: where the next group begins


@dataclass(frozen=True)
class AgeGap:
    """Errors of the pairs whose ages differ by so many years, each pair at the threshold of its fold."""

    low: int  # least gap in years
    high: int | None  # the first gap that no longer belongs here; None for no limit
    n_same: int  # pairs of one person
    n_diff: int  # pairs of two people
    false_rejects: float | None  # share of the first taken for two people; None without such pairs
    false_accepts: float | None  # share of the second taken for one person; None without such pairs

    @property
    def text(self) -> str:
        """Such as "5 to 9 years"."""
        return f"{self.low} years or more" if self.high is None else f"{self.low} to {self.high - 1} years"


@experiment(
    "The paper shows that its clusters hold through age (Figure 7) and measures no pairs by age.",
    needs=("model", "detector", "workers"),
    example="agedb --ages ages.csv",
)
def run(
    context: Context,
    *,
    root: Annotated[Path, Option("Folder of pictures <Name>/<Name>_0001.jpg.", argument=True)],
    pairs: Annotated[
        Path | None, Option("Pairs file of any number of folds, in LFW's form; ROOT/pairs.txt unless given.")
    ] = None,
    ages: Annotated[
        Path | None,
        Option("CSV with the columns photo (below ROOT) and age; without it no figures by age gap."),
    ] = None,
    mode: Mode = "detector",
) -> Result:
    """Accuracy over the folds of a pair list, and errors by the gap between the ages of the two faces."""
    path = pairs or root / "pairs.txt"
    listed = read_pairs(path)
    listed.check_folds(path)
    known = read_ages(ages) if ages else {}
    pictures = context.pair_set(root, listed, mode=mode, name=root.name)
    measured = pictures.measured(context.rows(pictures.faces), mode=mode)
    figures = score_pairs(measured)
    gaps = by_age_gap(measured, known, GAPS) if known else []
    unknown = sum(name not in known for name in listed.names) if ages else 0
    return Result(
        MEASURED,
        f"{root.name}, {figures.n_folds} folds: {mean_se(figures.accuracy_mean, figures.accuracy_se, 2)} "
        f"accuracy, {figures.n_false_rejects} false rejects of {figures.n_same:,} same pairs, "
        f"{figures.n_false_accepts} false accepts of {figures.n_diff:,} different pairs.",
        (_table(gaps),) if gaps else (),
        (
            "The threshold of each fold is chosen on the other folds.",
            *(
                [f"{unknown:,} photos without a known age; their pairs are left out of the table."]
                if unknown
                else []
            ),
            training_differs(context),
        ),
        figures={**plain(figures), "gaps": plain(gaps)},
    )


def read_ages(path: Path) -> dict[str, float]:
    """Ages in years by photo.

    Raises:
        DataError: no such file, other columns, or an age that is no number from 0 to 150; the line is named.
    """
    ages = {}
    table = read_table(path)
    refuse_rows(path, list(table.broken), None)
    for line, (photo, age) in table.select("photo", "age"):
        try:
            ages[photo] = float(age)
        except ValueError as error:
            raise DataError(f"{path}, line {line}: expected an age in years, got '{age}'") from error
        if not 0 <= ages[photo] <= 150:
            raise DataError(f"{path}, line {line}: expected an age from 0 to 150, got '{age}'")
    return ages


def by_age_gap(measured: PairDistances, ages: dict[str, float], edges: Sequence[int]) -> list[AgeGap]:
    """Errors by age gap.

    Args:
        measured: pairs and their distances.
        ages: by photo; pairs of photos without one are left out.
        edges: gaps at which the next group begins, rising.
    """
    gaps, known = _gaps(measured.listed, ages)
    group = np.searchsorted(edges, gaps, side="right") - 1
    right, same = measured.right(), measured.listed.same
    made = []
    for k, low in enumerate(edges):
        chosen = known & (group == k)
        high = edges[k + 1] if k + 1 < len(edges) else None
        rejects, accepts = (_share(~right[chosen & kind]) for kind in (same, ~same))
        n_same, n_diff = int((chosen & same).sum()), int((chosen & ~same).sum())
        made.append(AgeGap(low, high, n_same, n_diff, rejects, accepts))
    return made


def _gaps(listed: PairList, ages: dict[str, float]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Difference of the ages of each pair, shape (P,), 0 where one is not known; and whether both are."""
    found = np.array([[ages.get(name, np.nan) for name in pair] for pair in listed.pairs]).reshape(-1, 2)
    known = np.isfinite(found).all(1)
    return np.where(known, np.abs(found[:, 0] - found[:, 1]), 0.0), known


def _share(wrong: NDArray[np.bool_]) -> float | None:
    return float(wrong.mean()) if len(wrong) else None


def _table(gaps: list[AgeGap]) -> Table:
    columns = (
        Column("age gap"), Column("same pairs", "count"), Column("false rejects", "percent"),
        Column("different pairs", "count"), Column("false accepts", "percent"),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (gap.text, gap.n_same, gap.false_rejects, gap.n_diff, gap.false_accepts) for gap in gaps
    ]
    return Table("Errors by the gap of ages.", columns, tuple(rows))
