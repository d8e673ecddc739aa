"""Who may ask what of the local pages: the machine's own browser, by its own pages, and nobody else.

A server on 127.0.0.1 can be reached by every program on the machine and, through the browser, by every page on the
web. So the Host header must be the server's own (a foreign name that resolves to 127.0.0.1 is refused), requests that
other sites started are refused, and what changes something must carry a secret that only our pages hold. On any other
address a token is demanded of everybody.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CSRF_HEADER", "MAX_UPLOAD_BYTES", "Guard", "Guarded"]

CSRF_HEADER = "X-Facespace"
COOKIE = "facespace"
MAX_UPLOAD_BYTES = 64 * 2**20
SAFE = frozenset({"GET", "HEAD"})
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Guard:
    """What is asked of a request.

    Attributes:
        hosts: allowed values of the Host header, with port; lower case.
        token: demanded once of every browser, then kept in a cookie; None asks for none.
        csrf: in the header of each request that changes something.
    """

    hosts: frozenset[str]
    token: str | None = None
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    def refuses(self, scope: Scope) -> Response | None:
        """An answer that refuses, or lets a browser in for the first time; None lets the request pass."""
        headers = Headers(scope=scope)
        if headers.get("host", "").lower() not in self.hosts:
            return _refused(400, "this address is not the server's own; open the one that it printed")
        if self.token is not None and not _same(self.token, _cookie(headers)):
            return self._let_in(scope)
        if _is_foreign(headers, self.hosts, safe=scope["method"] in SAFE):
            return _refused(403, "another site may not ask this")
        if scope["method"] not in SAFE and not _same(self.csrf, headers.get(CSRF_HEADER)):
            return _refused(403, "expected a request of this server's own page; load the page again")
        return None

    def _let_in(self, scope: Scope) -> Response:
        """The token in the address is exchanged for a cookie, so that it does not stay in the address."""
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if scope["method"] not in SAFE or not _same(self.token or "", dict(query).get("token")):
            return _refused(401, "expected the token: open the address that `facespace serve` printed")
        rest = urlencode([(key, value) for key, value in query if key != "token"])
        # A path of two slashes would be read as another site's address.
        target = "/" + scope["path"].lstrip("/") + (f"?{rest}" if rest else "")
        answer = RedirectResponse(target, status_code=303)
        answer.set_cookie(COOKIE, self.token or "", httponly=True, samesite="strict")
        return answer


class Guarded:
    """An ASGI app behind a `Guard`, with the headers that every answer carries and a limit to what is sent to it."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no web sockets here
        answer = self._guard.refuses(scope) or _too_large(scope)
        await (answer or self._app)(scope, _limited(receive), _with_headers(send))


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            # Faces must not stay in a browser's cache after they were forgotten here.
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sent


def _limited(receive: Receive) -> Receive:
    """Cuts off a body that is longer than it said, or said nothing."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        return {"type": "http.disconnect"} if received > MAX_UPLOAD_BYTES else message

    return counted


def _too_large(scope: Scope) -> Response | None:
    length = Headers(scope=scope).get("content-length", "0")
    if length.isdecimal() and int(length) <= MAX_UPLOAD_BYTES:
        return None
    return _refused(413, f"expected at most {MAX_UPLOAD_BYTES // 2**20} MB")


def _is_foreign(headers: Headers, hosts: frozenset[str], *, safe: bool) -> bool:
    """Whether another site made the browser ask; to follow a link from there to a page is no harm."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() not in hosts:
        return True
    site = headers.get("sec-fetch-site", "none")
    if site in ("same-origin", "none"):
        return False
    return not (
        safe and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    )


def _cookie(headers: Headers) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


def _same(expected: str, got: str | None) -> bool:
    """In a time that does not tell how much of it is right."""
    return got is not None and hmac.compare_digest(expected.encode(), got.encode("utf-8", "surrogateescape"))


def _refused(status: int, why: str) -> Response:
    return PlainTextResponse(f"facespace: {why}\n", status)
