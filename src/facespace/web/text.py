"""Numbers, times and names as text on pages."""

import re

__all__ = ["clock", "counted", "day", "one_in"]


def one_in(far: float) -> str:
    """0.001 -> "1 in 1,000"; two figures are all that a rate is known to."""
    return f"1 in {int(float(f'{1 / far:.2g}')):,}"


def counted(n: int, one: str, many: str = "") -> str:
    """1 photo, 2 photos."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def clock(seconds: float) -> str:
    """75.3 -> 1:15; 3671 -> 1:01:11."""
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def day(taken_at: str | None) -> str:
    """2019-07-04T12:30:00 -> 4 July 2019; 2019-07 -> July 2019."""
    known = re.match(r"(\d{4})-(0[1-9]|1[0-2])(?:-(\d\d))?", taken_at or "")
    if known is None:
        return "no date"
    name = f"{MONTHS[int(known[2]) - 1]} {known[1]}"
    return f"{int(known[3])} {name}" if known[3] else name


MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
