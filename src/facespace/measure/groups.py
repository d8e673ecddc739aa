"""Figures by group (age, sex, origin, source ...): how the errors are shared out at one and the same threshold.

Pairs count for a group when both faces belong to it. The threshold is that of the whole set, as a program would use it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError
from facespace.measure.experiment import Option
from facespace.measure.faces import EmbeddedFaces
from facespace.measure.result import Cell, Column, Table, with_interval
from facespace.metrics import Interval, RateIntervals, mean_interval, rates_at
from facespace.spreadsheets import read_table, refuse_rows

UNGROUPED = "(none given)"
Groups = Annotated[
    Path | None,
    Option(
        "Figures by group too: JSON {identity: group}, or CSV whose first column is the identity and each other one a "
        "kind of group."
    ),
]


@dataclass(frozen=True)
class GroupRates:
    """TAR and FAR inside one group."""

    kind: str  # what the groups are, such as "sex"
    group: str  # which one
    threshold: float  # the distance that decides, the same for all groups
    n_faces: int  # faces, or listed pairs where the protocol lists pairs
    n_identities: int  # people
    rates: RateIntervals  # with intervals that resample identities
    note: str | None  # says that a group is empty or lacks a kind of pair, else None


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
    faces: EmbeddedFaces, groups: dict[str, dict[str, str]], *, threshold: float
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


def groups_table(rows: list[GroupRates]) -> Table:
    """The rates of each group with their intervals."""
    columns = (
        Column("group"), Column("faces", "count"), Column("people", "count"), Column("same", "count"),
        Column("different", "count"), Column("TAR (VAL), 95 %"), Column("FAR, 95 %"), Column(""),
    )  # fmt: skip
    threshold = f" at distance {rows[0].threshold:.3f}" if rows else ""
    return Table(f"By group{threshold}; intervals over people.", columns, tuple(map(_cells, rows)))


def _cells(row: GroupRates) -> tuple[Cell, ...]:
    rates = row.rates
    far = None if rates.far is None else f"{rates.far:.2e}"
    if far and rates.far_interval:
        far += f" ({rates.far_interval.low:.1e} to {rates.far_interval.high:.1e})"
    tar = with_interval(rates.tar, rates.tar_interval)
    counts = row.n_faces, row.n_identities, rates.n_same, rates.n_diff
    return f"{row.kind}: {row.group}", *counts, tar, far, row.note or ""


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
