"""Where a request comes from: the address that it was sent to, and whether another site made a browser send it."""

import hmac
from ipaddress import IPv6Address, ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

__all__ = ["address_of", "is_foreign", "is_visit", "same_secret"]


def address_of(scope: Scope) -> str:
    """The Host header of a request by the address at which it came in."""
    server = scope.get("server")
    try:
        address = ip_address(server[0]) if server else None
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return (
        ""
        if server is None
        else f"[{address}]:{server[1]}"
        if ":" in str(address)
        else f"{address}:{server[1]}"
    )


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
