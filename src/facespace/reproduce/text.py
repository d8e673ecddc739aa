"""Numbers as text for headlines."""

__all__ = ["mean_se", "percent"]


def percent(share: float | None, digits: int = 1) -> str:
    """0.318 -> "31.8 %"."""
    return "not supported by so few pairs" if share is None else f"{100 * share:.{digits}f} %"


def mean_se(mean: float | None, se: float | None, digits: int = 1) -> str:
    """0.353, 0.017 -> "35.3 ± 1.7 %"."""
    if mean is None or se is None:
        return percent(mean, digits)
    return f"{100 * mean:.{digits}f} ± {100 * se:.{digits}f} %"
