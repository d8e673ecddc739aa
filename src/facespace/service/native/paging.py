"""Lists in pages: a cursor says after which entry the next one begins, so that nothing is missed or told twice."""

import base64
import binascii

from facespace.errors import InputError

__all__ = ["cursor_after", "entry_of", "limited"]


def cursor_after(entry: str | int) -> str:
    """The cursor of the page after an entry."""
    return base64.urlsafe_b64encode(str(entry).encode()).decode().rstrip("=")


def entry_of(cursor: str) -> str:
    """The entry that a cursor stands after; empty for the first page.

    Raises:
        InputError: it is no cursor.
    """
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise InputError("cursor: expected `next` of another page") from error


def limited(limit: int, most: int) -> int:
    """A page's size.

    Raises:
        InputError: more than there may be.
    """
    if limit > most:
        raise InputError(f"limit: expected at most {most}, got {limit}")
    return limit
