"""What an experiment comes to: figures, tables, plots and rows of pictures, as plain values that JSON can hold.

Pictures stand as places in the data folder and never as pixels: they are looked up when a page is written.
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "COMPUTED",
    "MEASURED",
    "NOT_RUN",
    "Block",
    "Cell",
    "Column",
    "Picture",
    "PictureRow",
    "Pictures",
    "Plot",
    "Result",
    "Series",
    "Table",
    "not_run",
    "plain",
]

# A text, a number, a (mean, standard error), or None for what is not known.
Cell = str | float | int | tuple[float, float | None] | None

MEASURED, COMPUTED, NOT_RUN = "measured", "computed", "not yet run"


@dataclass(frozen=True)
class Column:
    """A column's heading and how its cells are written.

    Attributes:
        name: heading.
        kind: "text", "percent" (a share of 1; "percent2" with two digits), "points" (a difference of two such),
            "count", "millions", "seconds", "distance" or "rate" (such as 1.2e-04).
        paper: its numbers are the paper's, not ours.
    """

    name: str
    kind: str = "text"
    paper: bool = False


@dataclass(frozen=True)
class Table:
    """Rows of cells under columns."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kind: str = "table"


@dataclass(frozen=True)
class Series:
    """Points of a plot, joined by a line or not.

    Attributes:
        name: for the legend.
        x: shape (N,).
        y: likewise.
        paper: the paper's points, not ours.
        line: join the points.
        labels: a text beside each point; none where empty.
        colour: number of the colour; the next one in turn when absent.
        hollow: points as rings.
        dashed: a broken line.
        arrows: the points are pairs of from and to, each joined by an arrow.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    paper: bool = False
    line: bool = True
    labels: tuple[str, ...] = ()
    colour: int | None = None
    hollow: bool = False
    dashed: bool = False
    arrows: bool = False


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
    """A picture to show.

    Attributes:
        path: below the data folder, or absolute.
        box_xyxy: the face in it, of which a square around it is shown; None for the picture as it is.
        text: under it.
        wrong: does not belong where it stands.
    """

    path: str
    box_xyxy: tuple[float, float, float, float] | None = None
    text: str = ""
    wrong: bool = False


@dataclass(frozen=True)
class PictureRow:
    """Pictures that belong together, and what is to be said of them."""

    text: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Pictures:
    """Rows of pictures.

    Attributes:
        caption: what they are, and by which rule they were chosen.
        rows: the rows, those to show first.
        pairs: set the rows side by side, since each is only two pictures wide.
        shown: at most so many rows on a page; the rest stands in the JSON alone.
    """

    caption: str
    rows: tuple[PictureRow, ...]
    pairs: bool = False
    shown: int = 24
    kind: str = "pictures"


Block = Table | Plot | Pictures


@dataclass(frozen=True)
class Result:
    """What an experiment came to.

    Attributes:
        status: "measured", "computed" (no data needed) or "not yet run".
        headline: the outcome in a sentence.
        blocks: tables, plots and pictures.
        differs: what stands between our numbers and the paper's, and how it was measured.
        remedy: what to run for what is missing; empty where nothing is.
        seconds: that it took.
        figures: the numbers for programs, plain values by name: the keys of `--json`.
    """

    status: str
    headline: str
    blocks: tuple[Block, ...] = ()
    differs: tuple[str, ...] = ()
    remedy: str = ""
    seconds: float = 0.0
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
