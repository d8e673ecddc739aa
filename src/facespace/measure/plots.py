"""Plots as SVG that takes its colours from the page around it, so that one drawing serves light and dark."""

import io
import re
from collections.abc import Iterator
from typing import Any

from facespace.errors import MissingExtraError
from facespace.measure.result import Plot, Series

# Drawn in colours that nothing else has, each then replaced by a variable of the page.
INK, GRID, PAPER = "#010101", "#020202", "#030303"
OURS = ("#040404", "#050505", "#060606", "#070707", "#080808", "#090909")
VARIABLES = {INK: "var(--ink)", GRID: "var(--grid)", PAPER: "var(--paper)"} | {
    colour: f"var(--series-{i + 1})" for i, colour in enumerate(OURS)
}
SIZE_IN = (6.0, 3.7)


def check_matplotlib() -> None:
    """Fail before the work and not after it.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        raise MissingExtraError("a report with plots", "report")


def draw(plot: Plot, *, name: str) -> str:
    """An <svg> element; ``name`` makes its inner ids differ from those of other plots on the page."""
    import matplotlib
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {
        "svg.fonttype": "none", "svg.hashsalt": name, "font.size": 10.5, "text.color": INK, "axes.edgecolor": INK,
        "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK, "grid.color": GRID, "axes.spines.top": False,
        "axes.spines.right": False, "axes.linewidth": 0.8, "legend.frameon": False,
    }  # fmt: skip
    with matplotlib.rc_context(style):
        figure = Figure(figsize=SIZE_IN, layout="constrained")
        axes = figure.subplots()
        _set_axes(axes, plot)
        colours = iter(OURS * len(plot.series))
        for series in plot.series:
            _draw_series(axes, series, _colour(series, colours), bare=plot.bare)
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.04 if plot.bare else -0.17), ncols=2, handlelength=2.2,
            columnspacing=1.4,
        )  # fmt: skip
        file = io.StringIO()
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _themed(file.getvalue(), plot)


def _set_axes(axes: object, plot: Plot) -> None:
    from matplotlib.axes import Axes
    from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

    assert isinstance(axes, Axes)
    axes.set(xlabel=plot.x_label, ylabel=plot.y_label)
    if plot.x_log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _power(x)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if plot.x_limits:
        axes.set_xlim(*plot.x_limits)
    if plot.y_limits:
        axes.set_ylim(*plot.y_limits)
    if plot.bare:
        axes.set_axis_off()
        axes.set_aspect("equal")
        return
    if plot.y_log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.grid(True, linewidth=0.6)
    axes.set_axisbelow(True)


def _colour(series: Series, colours: Iterator[str]) -> str:
    if series.paper:
        return PAPER
    return next(colours) if series.colour is None else OURS[series.colour]


def _draw_series(axes: object, series: Series, colour: str, *, bare: bool = False) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    if series.arrows:
        _draw_arrows(axes, series, colour)
        return
    bare_line = series.line and len(series.x) > 15
    axes.plot(
        series.x, series.y, color=colour, label=series.name, linewidth=1.8,
        linestyle=("--" if series.paper or series.dashed else "-") if series.line else "none",
        marker="" if bare_line else "o", markersize=5.5 if series.line or len(series.x) < 16 else 3.6,
        markerfacecolor="none" if series.paper or series.hollow else colour,
    )  # fmt: skip
    for i, (x, y, text) in enumerate(zip(series.x, series.y, series.labels, strict=False)):
        side = _beside(0 if bare else i, one_column=len(set(series.x)) == 1)
        axes.annotate(text, (x, y), color=colour, fontsize=9, **side)


def _draw_arrows(axes: object, series: Series, colour: str) -> None:
    from matplotlib.axes import Axes

    assert isinstance(axes, Axes)
    points = list(zip(series.x, series.y, strict=True))
    for start, end in zip(points[::2], points[1::2], strict=True):
        style = {
            "arrowstyle": "->",
            "color": colour,
            "linewidth": 1.3,
            "linestyle": "--" if series.dashed else "-",
        }
        axes.annotate("", end, start, arrowprops=style)
    if series.name:
        axes.plot(
            [], [], color=colour, linewidth=1.3, linestyle="--" if series.dashed else "-", label=series.name
        )


def _beside(i: int, *, one_column: bool) -> dict[str, Any]:
    """Where a point's label stands: on alternate sides, since neighbours lie close."""
    if one_column:
        offset, side = ((8, -3), "left") if i % 2 == 0 else ((-8, -3), "right")
    else:
        offset, side = ((0, 7), "center") if i % 2 == 0 else ((0, -14), "center")
    return {"xytext": offset, "textcoords": "offset points", "ha": side}


def _power(x: float) -> str:
    """1e-3 below one, 100M above."""
    if x < 1:
        return f"{x:.0e}".replace("e-0", "e-")
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= size:
            return f"{x / size:g}{letter}"
    return f"{x:g}"


def _themed(svg: str, plot: Plot) -> str:
    body = svg[svg.index("<svg") :]
    for colour, variable in VARIABLES.items():
        body = body.replace(colour, variable)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", body, count=1)
    body = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", body, count=1)
    # The page's own typeface, at the size drawn.
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", body)
    label = f"{plot.y_label} against {plot.x_label}".replace('"', "")
    return body.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
