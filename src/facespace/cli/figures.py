"""How the protocols' figures are shown: lines for people, or one JSON document."""

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facespace.cli.console import console, say, show_json
from facespace.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from facespace.evaluate.groups import GroupRates
    from facespace.evaluate.holdout import HoldoutFaces, HoldoutResult, PhotosResult
    from facespace.evaluate.leaks import LeakReport
    from facespace.evaluate.lfw import LfwResult, PairDistances
    from facespace.metrics import Interval

__all__ = [
    "Grouping",
    "check_picture",
    "read_grouping",
    "show_holdout",
    "show_leaks",
    "show_pairs",
    "show_photos",
]

GROUP_FAR_KEY, COMPARE_FAR = "1e-3", 1e-3


@dataclass(frozen=True)
class Grouping:
    """Who is in which group, and where the picture of the figures goes."""

    groups: dict[str, dict[str, str]]
    plot: Path | None


def read_grouping(groups: Path | None, plot: Path | None) -> Grouping | None:
    """The labels file, read before the work starts.

    Raises:
        InputError: a plot without groups.
    """
    from facespace.evaluate.groups import read_groups

    if groups is None:
        if plot:
            raise InputError(
                "--groups-plot: expected --groups FILE beside it, which says who is in which group"
            )
        return None
    if plot:
        check_picture(plot, "--groups-plot", (".png", ".svg", ".pdf"))
        if find_spec("matplotlib") is None:
            raise MissingExtraError("--groups-plot", "report")
    return Grouping(read_groups(groups), plot)


def check_picture(path: Path, option: str, suffixes: tuple[str, ...]) -> None:
    """Refuse a picture that could not be written, before the work starts.

    Raises:
        InputError: another suffix, or no such folder.
    """
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{option}: expected a name that ends with {', '.join(suffixes)}, got '{path.name}'")
    if not path.parent.is_dir():
        raise InputError(f"{option}: expected an existing folder, there is no {path.parent}")


def show_pairs(
    result: "LfwResult", measured: "list[PairDistances]", grouping: Grouping | None, *, what: str, json: bool
) -> None:
    """LFW's and YouTube Faces' figures of the first model, its test against a second, and its groups."""
    from facespace.evaluate.groups import group_pairs
    from facespace.metrics import mcnemar

    first = measured[0]
    test = mcnemar(first.right(), measured[1].right()) if len(measured) > 1 else None
    rows = []
    if grouping:
        people = [[pair[side].split("/")[0] for pair in first.listed.pairs] for side in (0, 1)]
        threshold = sum(result.thresholds) / len(result.thresholds)
        rows = group_pairs(first.distance, people[0], people[1], grouping.groups, threshold=threshold)
    _plot(rows, grouping)
    if json:
        _show_document(result, against=test, groups=rows if grouping else None)
        return
    console.print("\n".join(result.lines()))
    console.print(f"Thresholds of the folds: {', '.join(f'{t:.3f}' for t in result.thresholds)}")
    console.print(f"False accepts: {result.n_false_accepts}, false rejects: {result.n_false_rejects}")
    if test:
        console.print(
            f"Against the second model: {test.verdict}; {test.n_only_first} pairs right by the first alone, "
            f"{test.n_only_second} by the second alone, p = {test.p_value:.3g} (McNemar, exact)"
        )
    _show_groups(rows)
    if result.detector_failures:
        say(f"{result.detector_failures} {what} without a detected face were cropped at the centre")


def show_holdout(
    result: "HoldoutResult",
    first: "HoldoutFaces",
    second: "HoldoutFaces | None",
    grouping: Grouping | None,
    *,
    json: bool,
) -> None:
    """The hold-out figures, the test against a second model, and the groups."""
    test = _compare(first, second) if second is not None else None
    rows = _group(first, result, grouping) if grouping else None
    _plot(rows, grouping)
    if json:
        _show_document(result, against=test, groups=rows)
        return
    console.print(f"{result.n_faces:,} faces of {result.n_identities:,} people: "
                  f"{result.n_same:,} same and {result.n_diff:,} different pairs")  # fmt: skip
    console.print(f"{result.n_splits} splits, half against half: {result.split_pairs[0]:,} same and "
                  f"{result.split_pairs[1]:,} different pairs")  # fmt: skip
    for far, tar in result.tar.items():
        splits = (
            f"{_percent(tar['mean'])} +- {_percent(tar['se'])}"
            if tar["mean"] is not None
            else "not supported"
        )
        whole = (
            _percent(tar["all"]) + _interval(result.interval[far]) if tar["all"] is not None else "no figure"
        )
        console.print(f"TAR (VAL) at FAR {far}: {splits} over the splits; {whole} over all pairs"
                      f"{_bound(tar['all'], result.tar_high[far])}")  # fmt: skip
    if result.note:
        console.print(f"Note: {result.note}")
    if test is not None:
        verdict = test.verdict or "no verdict: the pairs do not support this FAR"
        console.print(f"At FAR {test.far:g}: {_percent(test.first)} against {_percent(test.second)}, "
                      f"difference{_interval(test.difference)}: {verdict}")  # fmt: skip
    _show_groups(rows or [])


def show_photos(
    result: "PhotosResult", faces: "dict[str, HoldoutFaces]", grouping: Grouping | None, *, json: bool
) -> None:
    """The figures of each collection and their mean; groups of all collections' people in turn."""
    rows = None
    if grouping:
        rows = [
            replace(row, kind=f"{name}, {row.kind}")
            for name, one in result.collections.items()
            for row in _group(faces[name], one, grouping)
        ]
    _plot(rows, grouping)
    if json:
        _show_document(result, groups=rows)
        return
    for name, one in result.collections.items():
        console.print(f"{name}: {one.n_faces:,} faces of {one.n_identities:,} people, {one.n_same:,} same and "
                      f"{one.n_diff:,} different pairs")  # fmt: skip
        for far, tar in one.tar.items():
            known = tar["all"] is not None
            whole = (
                _percent(tar["all"]) + _interval(one.interval[far])
                if known
                else "not supported by so few pairs"
            )
            console.print(f"TAR (VAL) at FAR {far}: {whole}{_bound(tar['all'], one.tar_high[far])}")
    if len(result.collections) > 1:
        for far, tar in result.tar.items():
            if tar["mean"] is not None:
                console.print(f"mean at FAR {far}: {_percent(tar['mean'])} +- {_percent(tar['se'])}")
    _show_groups(rows or [])


def show_leaks(report: "LeakReport") -> None:
    """One line a pair of identities, then how many."""
    for pair in report.shared:
        reason = "one name, " if pair.same_name else ""
        console.print(f"{pair.train}  {pair.test}  {reason}distance {pair.distance:.3f} "
                      f"({pair.n_train} and {pair.n_test} faces)")  # fmt: skip
    console.print(f"{len(report.shared)} pairs of identities seem to be one person, of {report.n_train:,} x "
                  f"{report.n_test:,}: {report.n_by_name} by name, {report.n_by_embedding} by prototypes within "
                  f"{report.threshold:.3f}")  # fmt: skip
    if report.expected_by_chance is not None:
        say(f"strangers alone would give about {report.expected_by_chance:.1f} pairs so near")


def _compare(first: "HoldoutFaces", second: "HoldoutFaces") -> Any:
    from facespace.metrics import compare_tar

    # Names come as they stand in each source; the order of the faces must be the same.
    if len(first.labels) != len(second.labels) or (first.labels != second.labels).any():
        raise InputError("--against: expected the same faces in the same order, the two sets differ")
    return compare_tar(first.embeddings, second.embeddings, first.labels, far=COMPARE_FAR)


def _group(faces: "HoldoutFaces", result: "HoldoutResult", grouping: Grouping) -> "list[GroupRates]":
    from facespace.evaluate.groups import group_faces

    threshold = result.threshold[GROUP_FAR_KEY] or result.threshold["1e-2"]
    if threshold is None:
        raise InputError("--groups: the pairs support no threshold at FAR 1e-3 or 1e-2 to compare groups at")
    return group_faces(faces, grouping.groups, threshold=threshold)


def _plot(rows: "list[GroupRates] | None", grouping: Grouping | None) -> None:
    from facespace.evaluate.groups import write_group_plot

    if rows is not None and grouping and grouping.plot:
        write_group_plot(rows, grouping.plot)
        say(f"groups in {grouping.plot}")


def _show_groups(rows: "list[GroupRates]") -> None:
    if not rows:
        return
    cells = [["", "faces", "people", "same", "different", "TAR (VAL)", "FAR", ""]]
    for row in rows:
        rates = row.rates
        tar = "-" if rates.tar is None else _percent(rates.tar) + _interval(rates.tar_interval)
        far = "-" if rates.far is None else f"{rates.far:.2e}{_plain(rates.far_interval)}"
        counts = [f"{n:,}" for n in (row.n_faces, row.n_identities, rates.n_same, rates.n_diff)]
        cells.append([f"{row.kind}: {row.group}", *counts, tar, far, row.note or ""])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    console.print(f"Groups at distance {rows[0].threshold:.3f}:")
    for first, *others in cells:
        rest = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        console.print("  ".join([first.ljust(widths[0]), *rest]).rstrip(), markup=False)


def _show_document(result: Any, **more: Any) -> None:
    import dataclasses

    show_json(
        {**dataclasses.asdict(result), **{key: value for key, value in more.items() if value is not None}}
    )


def _interval(interval: "Interval | None") -> str:
    return "" if interval is None else f" [{100 * interval.low:.2f} to {100 * interval.high:.2f}]"


def _plain(interval: "Interval | None") -> str:
    return "" if interval is None else f" [{interval.low:.1e} to {interval.high:.1e}]"


def _bound(tar: float | None, high: float | None) -> str:
    return f", at most {_percent(high)} (grid)" if tar is not None and high is not None and high > tar else ""


def _percent(share: float | None) -> str:
    return "not supported" if share is None else f"{100 * share:.2f} %"
