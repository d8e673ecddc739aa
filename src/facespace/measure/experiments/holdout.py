"""The paper's hold-out protocol (section 4), on folders of crops or on embeddings from anywhere."""

from pathlib import Path
from typing import Annotated

from facespace.errors import InputError
from facespace.measure.context import Context
from facespace.measure.experiment import Option, experiment
from facespace.measure.faces import EmbeddedFaces, Faces, is_embedded
from facespace.measure.groups import GroupRates, Groups, group_faces, groups_table, read_groups
from facespace.measure.holdout import HoldoutFigures, evaluate_holdout
from facespace.measure.paper import holdout_differs, training_differs
from facespace.measure.result import (
    MEASURED,
    Cell,
    Column,
    Result,
    Table,
    mean_se,
    percent,
    plain,
    spread,
    with_interval,
)
from facespace.metrics import TarComparison, compare_tar

PAPER = {"1e-3": (0.894, 0.016)}
GROUP_FARS, COMPARE_FAR = ("1e-3", "1e-2"), 1e-3


@experiment(
    "VAL at a FAR over all pairs: of a hold-out set of 1M faces in five splits (mean and standard error), and "
    "of three clean personal collections, 12k faces, all 12k x 12k pairs.",
    example="--data DIR --groups DIR/faces/sources.json",
    report={},
)
def run(
    context: Context,
    *,
    faces: Faces = None,
    against: Annotated[
        str | None,
        Option("A second model, or a second table of the same faces: is the first significantly better?"),
    ] = None,
    groups: Groups = None,
) -> Result:
    """TAR (VAL) at FAR 1e-2 to 1e-6: half against half of disjoint splits, and all pairs."""
    by_group = read_groups(groups) if groups else None
    source = faces or context.data / "faces" / "val"
    first = context.read(source)
    second = _read_second(source, against, context) if against else None
    figures = evaluate_holdout(first, intervals=True)
    compared = _compare(first, second) if second else None
    rows = _groups(first, figures, by_group) if by_group is not None else None
    more = {"against": compared, "groups": rows}
    return Result(
        MEASURED,
        _headline(figures, compared),
        (_table(figures), *([groups_table(rows)] if rows else [])),
        _notes(figures, context, own=faces is None),
        figures={**plain(figures), **{key: plain(value) for key, value in more.items() if value is not None}},
    )


def _headline(figures: HoldoutFigures, against: TarComparison | None) -> str:
    at = figures.tar["1e-3"]
    text = (
        f"VAL at FAR 1e-3: {mean_se(at['mean'], at['se'])} over {figures.n_splits} splits, "
        f"{percent(at['all'])} over all pairs."
    )
    if against is None:
        return text
    if against.difference is None:
        return f"{text} Against the second: the pairs do not support FAR {against.far:g}."
    low, high = (100 * end for end in (against.difference.low, against.difference.high))
    return (
        f"{text} Against the second, {percent(against.second)}: {against.verdict} "
        f"(difference {low:+.2f} to {high:+.2f} points)."
    )


def _table(figures: HoldoutFigures) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for far, tar in figures.tar.items():
        whole = with_interval(tar["all"], figures.interval.get(far), digits=1)
        rows.append((far, PAPER.get(far), spread(tar["mean"], tar["se"]), whole, figures.threshold[far]))
    columns = (
        Column("FAR"), Column("paper, NN2: VAL, hold-out", "percent", paper=True),
        Column("ours: VAL, splits (hold-out protocol)", "percent"),
        Column("ours: VAL, all pairs (personal-photos protocol), 95 %"), Column("threshold, all pairs", "distance"),
    )  # fmt: skip
    return Table(f"{figures.n_same:,} same and {figures.n_diff:,} different pairs.", columns, tuple(rows))


def _notes(figures: HoldoutFigures, context: Context, *, own: bool) -> tuple[str, ...]:
    notes = [
        "A split is a fifth of the people; half of their faces meet the other half, as in the paper: "
        f"{figures.split_pairs[1]:,} different pairs in all splits.",
        "A rate is stated only where ten false accepts or more stand behind it.",
    ]
    if figures.note:
        notes.append(f"{figures.note}.")
    if own:
        notes += [training_differs(context), holdout_differs(context)]
    return tuple(notes)


def _read_second(source: Path, against: str, context: Context) -> EmbeddedFaces:
    """The same faces by another model: a table of them, or a model for the same crops."""
    if is_embedded(Path(against)):
        return context.read(Path(against))
    if is_embedded(source):
        raise InputError(f"--against: expected a second table beside the table {source}, got '{against}'")
    return context.read(source, against)


def _compare(first: EmbeddedFaces, second: EmbeddedFaces) -> TarComparison:
    # Names come as they stand in each source; the order of the faces must be the same.
    if len(first.labels) != len(second.labels) or (first.labels != second.labels).any():
        raise InputError("--against: expected the same faces in the same order, the two sets differ")
    return compare_tar(first.embeddings, second.embeddings, first.labels, far=COMPARE_FAR)


def _groups(
    faces: EmbeddedFaces, figures: HoldoutFigures, groups: dict[str, dict[str, str]]
) -> list[GroupRates]:
    known = [t for far in GROUP_FARS if (t := figures.threshold[far]) is not None]
    if not known:
        raise InputError("--groups: the pairs support no threshold at FAR 1e-3 or 1e-2 to compare groups at")
    return group_faces(faces, groups, threshold=known[0])
