"""Numbers as text: cells of tables, the same in a terminal, on the page and in Markdown; and numbers in headlines."""

from facespace.measure.result import Cell, Column
from facespace.metrics import Interval

__all__ = ["cell_text", "mean_se", "percent", "with_interval"]


def percent(share: float | None, digits: int = 1) -> str:
    """0.318 -> "31.8 %"."""
    return "not supported by so few pairs" if share is None else f"{100 * share:.{digits}f} %"


def mean_se(mean: float | None, se: float | None, digits: int = 1) -> str:
    """0.353, 0.017 -> "35.3 ± 1.7 %"."""
    if mean is None or se is None:
        return percent(mean, digits)
    return f"{100 * mean:.{digits}f} ± {100 * se:.{digits}f} %"


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
