"""Parts of a file by HTTP (RFC 9110, section 14), so that a film plays from anywhere without being sent whole."""

import re
from dataclasses import dataclass

# One range alone, of numbers that a file can have.
RANGE = re.compile(r"bytes[ \t]*=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


class UnsatisfiableError(Exception):
    """Nothing of what is asked for is in the file."""


@dataclass(frozen=True)
class Span:
    """Bytes of a file: the first one, and the one behind the last."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def header(self, size: int) -> str:
        """As the Content-Range of an answer."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def asked_span(header: str | None, size: int) -> Span | None:
    """The part of a file that a Range header asks for; None for the whole.

    A header that makes no sense, and one that asks for several parts, is passed over, as the standard allows.

    Args:
        header: as it came, if it did.
        size: of the file, in bytes.

    Raises:
        UnsatisfiableError: the part lies behind the end.
    """
    found = RANGE.fullmatch(header or "")
    if found is None or found.groups() == ("", ""):
        return None
    first, last = (int(digits) if digits else None for digits in found.groups())
    if first is None:  # the last bytes
        first, last = max(size - (last or 0), 0), size - 1
    elif last is not None and last < first:
        return None
    if first >= size:
        raise UnsatisfiableError
    return Span(first, size if last is None else min(last + 1, size))
