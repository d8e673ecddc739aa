"""Figures by group (age, sex, origin, source ...): how the errors are shared out at one and the same threshold.

Pairs count for a group when both faces belong to it. The threshold is that of the whole set, as a program would use it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError, MissingExtraError
from facespace.evaluate.holdout import HoldoutFaces
from facespace.metrics import Interval, RateIntervals, mean_interval, rates_at
from facespace.saved_files import written_beside
from facespace.spreadsheets import read_table, refuse_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["GroupRates", "group_faces", "group_pairs", "read_groups", "write_group_plot"]

UNGROUPED = "(none given)"


@dataclass(frozen=True)
class GroupRates:
    """TAR and FAR inside one group.

    Attributes:
        kind: what the groups are, such as "sex".
        group: which one.
        threshold: the distance that decides, the same for all groups.
        n_faces: faces, or listed pairs where the protocol lists pairs.
        n_identities: people.
        rates: with intervals that resample identities.
        note: says that a group is empty or lacks a kind of pair, else None.
    """

    kind: str
    group: str
    threshold: float
    n_faces: int
    n_identities: int
    rates: RateIntervals
    note: str | None


def read_groups(path: Path) -> dict[str, dict[str, str]]:
    """Kind of group -> identity -> group.

    A JSON object {identity: group} makes one kind named after the file; a CSV file has the identity in its first column
    and a kind of group in each other one; an empty cell puts the person in no group.

    Raises:
        DataError: no such file, or another form.
    """
    try:
        if path.suffix.lower() == ".json":
            values = json.loads(path.read_text(encoding="utf-8-sig"))
            if not isinstance(values, dict):
                raise ValueError("no object")
            return {path.stem: {str(name): str(group) for name, group in values.items()}}
        table = read_table(path)
        if len(table.columns) < 2:
            raise ValueError("two columns are needed at least")
        refuse_rows(path, list(table.broken), None)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: expected JSON {{identity: group}} or CSV with columns identity,KIND...: {error}"
        ) from error
    return {
        kind: {cells[0]: cells[k] for _, cells in table.rows if cells[k]}
        for k, kind in enumerate(table.columns)
        if k
    }


def group_faces(
    faces: HoldoutFaces, groups: dict[str, dict[str, str]], *, threshold: float
) -> list[GroupRates]:
    """Rates over all pairs inside each group, at a threshold of the whole set."""
    found = []
    for kind, group, names in _members(groups, faces.identities):
        chosen = np.isin(faces.labels, [i for i, name in enumerate(faces.identities) if name in names])
        labels = faces.labels[chosen]
        rates = rates_at(faces.embeddings[chosen], labels, threshold=threshold)
        n_identities = len(np.unique(labels))
        found.append(
            GroupRates(kind, group, threshold, len(labels), n_identities, rates, _note(len(labels), rates))
        )
    return found


def group_pairs(
    distance: NDArray[np.float32],
    first: list[str],
    second: list[str],
    groups: dict[str, dict[str, str]],
    *,
    threshold: float,
) -> list[GroupRates]:
    """Rates over the listed pairs inside each group; a pair shows one person where both names are the same.

    Args:
        distance: shape (P,).
        first: the person in each pair's first picture.
        second: in its second.
        groups: as `read_groups` gives them.
        threshold: of the whole list.
    """
    everybody = tuple(sorted({*first, *second}))
    number = {name: i for i, name in enumerate(everybody)}
    a, b = (np.array([number[name] for name in names], np.int64) for names in (first, second))
    near = np.asarray(distance) <= threshold
    found = []
    for kind, group, names in _members(groups, everybody):
        member = np.array([name in names for name in everybody])
        inside = member[a] & member[b]
        same, diff = inside & (a == b), inside & (a != b)
        tar, tar_interval = _rate(near, a, b, same)
        far, far_interval = _rate(near, a, b, diff)
        n_same, n_diff = int(same.sum()), int(diff.sum())
        rates = RateIntervals(tar, tar_interval, far, far_interval, n_same, n_diff)
        n_identities = len(np.unique(np.concatenate([a[inside], b[inside]])))
        n_pairs = int(inside.sum())
        found.append(GroupRates(kind, group, threshold, n_pairs, n_identities, rates, _note(n_pairs, rates)))
    return found


def write_group_plot(rows: list[GroupRates], path: Path) -> None:
    """TAR and FAR of each group with their intervals, as a picture.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("the picture of the groups", "report") from error
    figure = Figure(figsize=(9, 1.6 + 0.34 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    tar, far = figure.subplots(1, 2, sharey=True)
    _draw(tar, rows, "tar", "TAR (VAL)")
    _draw(far, rows, "far", "FAR")
    far.set_xscale("symlog", linthresh=1e-4)
    tar.set_yticks(range(len(rows)), [f"{row.kind}: {row.group} ({row.n_identities})" for row in rows])
    tar.set_ylim(len(rows) - 0.5, -0.5)
    if rows:
        figure.suptitle(
            f"At one distance, {rows[0].threshold:.3f}; bars: 95 % over draws of identities (their number)"
        )
    with written_beside(path) as partial:
        figure.savefig(partial, dpi=120, format=path.suffix.lstrip(".") or "png")


def _draw(axes: "Axes", rows: list[GroupRates], name: str, title: str) -> None:
    for y, row in enumerate(rows):
        value, interval = getattr(row.rates, name), getattr(row.rates, f"{name}_interval")
        if value is None:
            axes.text(
                0.02, y, "no such pairs", transform=axes.get_yaxis_transform(), va="center", color="grey"
            )
            continue
        if interval is not None:
            axes.plot([interval.low, interval.high], [y, y], color="#3b6ea5", linewidth=4, alpha=0.4)
        axes.plot([value], [y], "o", color="#1d3f66")
    axes.set_title(title)
    axes.grid(axis="x", alpha=0.3)


def _members(groups: dict[str, dict[str, str]], people: tuple[str, ...]) -> list[tuple[str, str, set[str]]]:
    """Each kind's groups with their people; those in no group come last, where there are any."""
    listed = []
    for kind, of_person in groups.items():
        listed += [
            (kind, g, {p for p in people if of_person.get(p) == g}) for g in sorted(set(of_person.values()))
        ]
        if rest := {p for p in people if p not in of_person}:
            listed.append((kind, UNGROUPED, rest))
    return listed


def _rate(
    near: NDArray[np.bool_], a: NDArray[np.int64], b: NDArray[np.int64], chosen: NDArray[np.bool_]
) -> tuple[float | None, Interval | None]:
    if not chosen.any():
        return None, None
    return float(near[chosen].mean()), mean_interval(near[chosen].astype(float), a[chosen], b[chosen])


def _note(n: int, rates: RateIntervals) -> str | None:
    if n == 0:
        return "empty: nobody of this group is in the set"
    if not rates.n_same or not rates.n_diff:
        return f"no pairs of {'one person' if not rates.n_same else 'two people'}"
    return "fewer than ten false accepts: its FAR is rough" if (rates.far or 0) * rates.n_diff < 10 else None
