"""What an experiment comes to: figures, tables, plots and rows of pictures, as plain values; and numbers as text."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facespace.metrics import Interval

# A text, a number, a (mean, standard error), or None for what is not known.
Cell = str | float | int | tuple[float, float | None] | None

MEASURED, COMPUTED, NOT_RUN = "measured", "computed", "not yet run"


@dataclass(frozen=True)
class Column:
    """A column's heading and how its cells are written."""

    name: str  # heading
    # "text", "percent" (a share of 1; "percent2" with two digits), "points" (a difference of two such),
    # "count", "millions", "seconds", "distance" or "rate" (such as 1.2e-04)
    kind: str = "text"
    paper: bool = False  # its numbers are the paper's, not ours


@dataclass(frozen=True)
class Table:
    """Rows of cells under columns."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kind: str = "table"


@dataclass(frozen=True)
class Series:
    """Points of a plot, joined by a line or not."""

    name: str  # for the legend
    x: tuple[float, ...]  # shape (N,)
    y: tuple[float, ...]  # likewise
    paper: bool = False  # the paper's points, not ours
    line: bool = True  # join the points
    labels: tuple[str, ...] = ()  # a text beside each point; none where empty
    colour: int | None = None  # number of the colour; the next one in turn when absent
    hollow: bool = False  # points as rings
    dashed: bool = False  # a broken line
    arrows: bool = False  # the points are pairs of from and to, each joined by an arrow


@dataclass(frozen=True)
class Plot:
    """Series over axes; y is a share of 1 and shown in per cent, or with ``y_log`` any number above 0; ``bare``, both
    are places in a plane."""

    caption: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    x_log: bool = False
    x_limits: tuple[float, float] | None = None
    y_limits: tuple[float, float] | None = None
    bare: bool = False
    y_log: bool = False
    kind: str = "plot"


@dataclass(frozen=True)
class Picture:
    """A picture to show."""

    path: str  # below the data folder, or absolute
    # the face in it, of which a square around it is shown; None for the picture as it is
    box_xyxy: tuple[float, float, float, float] | None = None
    text: str = ""  # under it
    wrong: bool = False  # does not belong where it stands


@dataclass(frozen=True)
class PictureRow:
    """Pictures that belong together, and a caption."""

    text: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Pictures:
    """Rows of pictures."""

    caption: str  # what they are, and by which rule they were chosen
    rows: tuple[PictureRow, ...]  # the rows, those to show first
    pairs: bool = False  # set the rows side by side, since each is only two pictures wide
    shown: int = 24  # at most so many rows on a page; the rest stands in the JSON alone
    kind: str = "pictures"


Block = Table | Plot | Pictures


@dataclass(frozen=True)
class Result:
    """What an experiment came to."""

    status: str  # "measured", "computed" (no data needed) or "not yet run"
    headline: str  # the outcome in a sentence
    blocks: tuple[Block, ...] = ()  # tables, plots and pictures
    differs: tuple[str, ...] = ()  # what stands between our numbers and the paper's, and how it was measured
    remedy: str = ""  # what to run for what is missing; empty where nothing is
    seconds: float = 0.0  # that it took
    # the numbers for programs, plain values by name: the keys of `--json`
    figures: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return plain(self)

    def document(self) -> dict[str, Any]:
        """What `--json` prints: the figures at the top, then everything else."""
        values = self.to_json()
        return {**values.pop("figures"), **values}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Result":
        """What `to_json` gave, also after a way through JSON.

        Raises:
            KeyError, TypeError: other values.
        """
        blocks = tuple(_block(block) for block in values["blocks"])
        return cls(**{**values, "blocks": blocks, "differs": tuple(values["differs"])})


def not_run(headline: str, *, remedy: str = "", differs: tuple[str, ...] = ()) -> Result:
    """An experiment that cannot be made yet, or not in this run."""
    return Result(NOT_RUN, headline, differs=differs, remedy=remedy)


def plain(value: Any) -> Any:
    """Dataclasses as dictionaries, NumPy numbers as Python's, nan as None: what JSON can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return None if isinstance(value, float) and value != value else value


def _block(values: dict[str, Any]) -> Block:
    if values["kind"] == "table":
        columns = tuple(Column(**column) for column in values["columns"])
        return Table(values["caption"], columns, _tuples(values["rows"]))
    return _plot(values) if values["kind"] == "plot" else _pictures(values)


def _plot(values: dict[str, Any]) -> Plot:
    series = tuple(Series(**{k: _tuples(v) for k, v in s.items()}) for s in values["series"])
    return Plot(**{**{k: _tuples(v) for k, v in values.items()}, "series": series})


def _pictures(values: dict[str, Any]) -> Pictures:
    rows = tuple(
        PictureRow(
            row["text"], tuple(Picture(**{k: _tuples(v) for k, v in p.items()}) for p in row["pictures"])
        )
        for row in values["rows"]
    )
    return Pictures(values["caption"], rows, values["pairs"], values["shown"])


def _tuples(value: Any) -> Any:
    """Lists, which JSON made of tuples, as tuples again."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value


def percent(share: float | None, digits: int = 1) -> str:
    """0.318 -> "31.8 %"."""
    return "not supported by so few pairs" if share is None else f"{100 * share:.{digits}f} %"


def mean_se(mean: float | None, se: float | None, digits: int = 1) -> str:
    """0.353, 0.017 -> "35.3 ± 1.7 %"."""
    if mean is None or se is None:
        return percent(mean, digits)
    return f"{100 * mean:.{digits}f} ± {100 * se:.{digits}f} %"


def spread(mean: float | None, se: float | None) -> Cell:
    """A mean with its standard error as a cell."""
    return None if mean is None else (mean, se)


def with_interval(share: float | None, interval: Interval | None, digits: int = 2) -> str | None:
    """0.744 and its interval -> "74.40 % (70.70 to 77.90)"; None where there is no figure."""
    if share is None:
        return None
    if interval is None:
        return percent(share, digits)
    low, high = (f"{100 * end:.{digits}f}" for end in (interval.low, interval.high))
    return f"{percent(share, digits)} ({low} to {high})"


def cell_text(value: Cell, column: Column) -> str:
    """A cell under its column; a dash for what is not known."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, tuple):
        mean, se = value
        digits = 2 if column.kind == "percent2" else 1
        spread = "" if se is None else f" ± {100 * se:.{digits}f}"
        return f"{100 * mean:.{digits}f}{spread} %"
    return _number(float(value), column.kind)


def _number(value: float, kind: str) -> str:
    match kind:
        case "percent" | "percent2":
            return f"{100 * value:.{2 if kind == 'percent2' else 1}f} %"
        case "points":
            return f"{100 * value:+.1f}".replace("-", "−") if abs(value) >= 5e-4 else "0.0"
        case "millions":
            return _millions(value)
        case "distance":
            return f"{value:.3f}"
        case "seconds":
            return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
        case "rate":
            return f"{value:.2e}"
        case "count":
            return f"{value:,.0f}"
    return f"{value:g}"


def _millions(value: float) -> str:
    if value >= 1e8:
        return f"{value / 1e6:,.0f}M"
    return f"{value / 1e6:.1f}M" if value >= 1e6 else f"{value / 1e3:.0f}K"
