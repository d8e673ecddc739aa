"""The paper's personal-photos protocol (section 4): VAL at FAR over all pairs of each collection."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from facespace.errors import InputError
from facespace.measure.context import Context
from facespace.measure.experiment import Option, experiment
from facespace.measure.groups import GroupRates, Groups, group_faces, groups_table, read_groups
from facespace.measure.holdout import HoldoutFigures, PhotosFigures, evaluate_photos
from facespace.measure.result import MEASURED, Cell, Column, Result, Table, mean_se, plain, with_interval


@experiment(
    "VAL at FAR over all 12k x 12k pairs of three personal collections, with clean labels.",
    needs=("model", "workers"),
    example="anna.npz bela.npz carla.npz",
)
def run(
    context: Context,
    *,
    collections: Annotated[
        tuple[Path, ...],
        Option(
            "One or more collections: crops in folders <identity>/<image>, a FaceTable, or an .npz with 'embedding' "
            "and 'labels'.",
            argument=True,
        ),
    ],
    groups: Groups = None,
) -> Result:
    """TAR (VAL) at FAR 1e-2 to 1e-6 over all pairs of each collection, and the mean over them."""
    if len({str(path) for path in collections}) < len(collections):
        raise InputError("expected each collection once")
    by_group = read_groups(groups) if groups else None
    faces = {str(path): context.read(path) for path in collections}
    figures = evaluate_photos(faces, intervals=True)
    rows: list[GroupRates] = []
    for name, one in figures.collections.items() if by_group else ():
        threshold = next((t for far in ("1e-3", "1e-2") if (t := one.threshold[far]) is not None), None)
        if threshold is None:
            raise InputError(f"--groups: {name}: the pairs support no threshold at FAR 1e-3 or 1e-2")
        found = group_faces(faces[name], by_group or {}, threshold=threshold)
        rows += [replace(row, kind=f"{name}, {row.kind}") for row in found]
    return Result(
        MEASURED,
        _headline(figures),
        (_table(figures), *([groups_table(rows)] if rows else [])),
        ("A rate is stated only where ten false accepts or more stand behind it.",),
        figures={**plain(figures), **({"groups": plain(rows)} if by_group is not None else {})},
    )


def _headline(figures: PhotosFigures) -> str:
    known = [(far, tar) for far, tar in figures.tar.items() if tar["mean"] is not None]
    if not known:
        return "No false-accept rate is supported by the pairs of every collection."
    far, tar = min(known, key=lambda pair: abs(float(pair[0]) - 1e-3))
    n = len(figures.collections)
    return f"VAL at FAR {far}: {mean_se(tar['mean'], tar['se'])} over {n} collection{'s' if n > 1 else ''}."


def _table(figures: PhotosFigures) -> Table:
    fars = list(figures.tar)
    columns = (
        Column("collection"), Column("faces", "count"), Column("people", "count"), Column("same", "count"),
        Column("different", "count"), *(Column(f"VAL at FAR {far}, 95 %") for far in fars),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [_row(name, one, fars) for name, one in figures.collections.items()]
    if len(rows) > 1:
        means = (
            mean_se(tar["mean"], tar["se"]) if tar["mean"] is not None else None
            for tar in figures.tar.values()
        )
        rows.append(("mean", None, None, None, None, *means))
    return Table("All pairs of each collection.", columns, tuple(rows))


def _row(name: str, one: HoldoutFigures, fars: list[str]) -> tuple[Cell, ...]:
    counts = one.n_faces, one.n_identities, one.n_same, one.n_diff
    return name, *counts, *(with_interval(one.tar[far]["all"], one.interval.get(far)) for far in fars)
