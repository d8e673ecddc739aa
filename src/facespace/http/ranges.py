"""Parts of a file by HTTP (RFC 9110, section 14), so that a film plays from anywhere without being sent whole."""

import re

# One range alone, of numbers that a file can have.
RANGE = re.compile(r"bytes[ \t]*=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


def asked_bytes(header: str | None, size: int) -> range | None:
    """The bytes of a file that a Range header asks for: none where they lie behind its end; None for the whole.

    A header that makes no sense, and one that asks for several parts, is passed over, as the standard allows.

    Args:
        header: as it came, if it did.
        size: of the file, in bytes.
    """
    found = RANGE.fullmatch(header or "")
    if found is None or found.groups() == ("", ""):
        return None
    first, last = (int(digits) if digits else None for digits in found.groups())
    if first is None:  # the last bytes
        first, last = max(size - (last or 0), 0), size - 1
    elif last is not None and last < first:
        return None
    return range(min(first, size), size if last is None else min(last + 1, size))
