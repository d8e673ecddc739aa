"""Errors as one line that can be shown: nothing invisible, no end of it, and why a request does not fit."""

import re
from typing import Any

__all__ = ["printable", "slip"]

# What would change how the rest of a line is read, or is not text at all.
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
LONGEST = 1000


def printable(text: str) -> str:
    """Text that can be shown: bytes that are no UTF-8 and what cannot be seen as a sign for that, and no end of it."""
    shown = HIDDEN.sub("\ufffd", text[:LONGEST].encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    return shown + "…" if len(text) > LONGEST else shown


def slip(problem: dict[str, Any]) -> tuple[str, str]:
    """Which field of a request is wrong and why, as pydantic has it; what was sent is not repeated."""
    field = ".".join(str(part) for part in problem["loc"] if part not in ("path", "query", "body"))
    message = "is not of the expected form" if "pattern" in problem["type"] else str(problem["msg"])
    message = message.removeprefix("Value error, ").replace("Input should be", "expected")
    return field[:60], f"{message[:1].lower()}{message[1:200]}"
