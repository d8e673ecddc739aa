"""Where a request comes from, whether another site sent it, and what is wrong with it, as one line to be shown."""

import hmac
import re
from ipaddress import IPv6Address, ip_address
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Scope

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


def address_of(scope: Scope) -> str:
    """The Host header of a request by the address at which it came in."""
    server = scope.get("server")
    try:
        address = ip_address(server[0]) if server else None
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    host = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    return "" if server is None else f"{host}:{server[1]}"


def without_port(host: str) -> str:
    """The name or address in a Host header."""
    name, _, port = host.rpartition(":")
    return name if port.isdecimal() else host


def is_visit(headers: Headers) -> bool:
    """Whether the browser shows the answer as a page."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def is_foreign(headers: Headers, host: str, *, safe: bool) -> bool:
    """Whether another site made the browser ask; to follow a link from there to a page is no harm."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != host:
        return True
    if headers.get("sec-fetch-site", "none") in ("same-origin", "none"):
        return False
    return not (safe and is_visit(headers))


def same_secret(expected: str, got: str | None) -> bool:
    """In a time that does not tell how much of it is right."""
    return got is not None and hmac.compare_digest(expected.encode(), got.encode("utf-8", "surrogateescape"))
