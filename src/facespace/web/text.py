"""Numbers, times and file names as text on pages."""

__all__ = ["counted", "day", "one_in", "printable"]


def one_in(far: float) -> str:
    """0.001 -> "1 in 1,000"; two figures are all that a rate is known to."""
    return f"1 in {int(float(f'{1 / far:.2g}')):,}"


def printable(text: str) -> str:
    """Bytes of file names that are no UTF-8 as replacement signs."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def counted(n: int, one: str, many: str = "") -> str:
    """1 photo, 2 photos."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def day(taken_at: str | None) -> str:
    """2019-07-04T12:30:00 -> 4 July 2019; 2019-07 -> July 2019."""
    if not taken_at:
        return "time unknown"
    year, month, *rest = taken_at[:10].split("-")
    name = MONTHS[int(month) - 1]
    return f"{int(rest[0])} {name} {year}" if rest else f"{name} {year}"


MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
