"""Cells of tables as text, the same on the page and in Markdown."""

from facespace.reproduce.blocks import Cell, Column

__all__ = ["cell_text"]


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
    if kind in ("percent", "percent2"):
        return f"{100 * value:.{2 if kind == 'percent2' else 1}f} %"
    if kind == "points":
        return f"{100 * value:+.1f}".replace("-", "−") if abs(value) >= 5e-4 else "0.0"
    if kind == "millions":
        return (
            f"{value / 1e6:,.0f}M"
            if value >= 1e8
            else f"{value / 1e6:.1f}M"
            if value >= 1e6
            else f"{value / 1e3:.0f}K"
        )
    if kind == "distance":
        return f"{value:.3f}"
    if kind == "seconds":
        return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
    return f"{value:,.0f}" if kind == "count" else f"{value:g}"
