"""Who may ask what of the local pages: browsers that were let in, by the server's own pages, and nobody else.

A server on 127.0.0.1 can be reached by every user and program of the machine and, through the browser, by every page
on the web. So the Host header must be the server's own (a foreign name that resolves to 127.0.0.1 is refused), a
session is needed that begins with the one-time code of a printed address, requests that other sites started are
refused, and what changes something must carry a secret that only our pages hold.

An address with a code may be seen by others: in the list of processes, in the history of a browser. So a code lets in
one browser, once. What lasts, the session's id, is in that browser's cookie and in the server's memory alone.
"""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from http.cookies import CookieError, SimpleCookie
from threading import Lock
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Scope

from facespace.http.lines import address_of, is_foreign, is_visit, same_secret, without_port

MAX_KEPT = 64


class Sessions:
    """Who has been let in; used from several threads.

    Args:
        cookie: name of the cookie. Browsers send cookies to all ports of a host, so servers need different names.

    Attributes:
        cookie: as given.
    """

    def __init__(self, cookie: str) -> None:
        self.cookie = cookie
        self._lock = Lock()
        self._codes: OrderedDict[str, None] = OrderedDict()
        self._ids: OrderedDict[str, None] = OrderedDict()

    def new_code(self) -> str:
        """A code for an address; the oldest of very many unused ones lapse."""
        with self._lock:
            return _keep_new(self._codes)

    def exchange(self, code: str) -> str | None:
        """The id of a new session for a code, which is used up; None for a code that was not given or was used."""
        with self._lock:
            known = _find(self._codes, code)
            if known is None:
                return None
            del self._codes[known]
            return _keep_new(self._ids)

    def knows(self, session: str) -> bool:
        """Whether this is the id of a session."""
        with self._lock:
            return _find(self._ids, session) is not None


def _keep_new(kept: OrderedDict[str, None]) -> str:
    secret = secrets.token_urlsafe(24)
    kept[secret] = None
    while len(kept) > MAX_KEPT:
        kept.popitem(last=False)
    return secret


def _find(kept: OrderedDict[str, None], wanted: str) -> str | None:
    """The secret that equals ``wanted``, in a time that does not tell how much of it is right."""
    sent = wanted.encode("utf-8", "surrogateescape")
    return next((secret for secret in kept if hmac.compare_digest(secret.encode(), sent)), None)


CSRF_HEADER = "X-Facespace"
CODE = "code"
SAFE = frozenset({"GET", "HEAD"})
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'self';"
    " script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
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
        hosts: allowed values of the Host header, with the port; lower case. The address of this machine by which a
            request came in is allowed too: only a name can be made to lead here by others.
        names: allowed names whatever the port, as behind a proxy.
        sessions: who has been let in; None asks nobody.
        csrf: in the header of each request that changes something.
        on_entry: called when a browser was let in.
    """

    hosts: frozenset[str]
    names: frozenset[str] = frozenset()
    sessions: Sessions | None = None
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    on_entry: Callable[[], None] | None = None

    def refuses(self, scope: Scope) -> Response | None:
        """An answer that refuses, or lets a browser in; None lets the request pass."""
        headers, is_safe = Headers(scope=scope), scope["method"] in SAFE
        host = headers.get("host", "").lower()
        if not self._is_own(host, scope):
            return _refused(
                400,
                "this is not an address of this server; `--allow-host NAME` of `facespace serve` adds a name",
            )
        if self.sessions is not None and (answer := self._without_session(self.sessions, scope, headers)):
            return answer
        if is_foreign(headers, host, safe=is_safe):
            return _refused(403, "another site may not ask this")
        if not is_safe and not same_secret(self.csrf, headers.get(CSRF_HEADER)):
            return _refused(403, "expected a request of this server's own page; load the page again")
        return None

    def _is_own(self, host: str, scope: Scope) -> bool:
        return host in self.hosts or without_port(host) in self.names or host == address_of(scope)

    def _without_session(self, sessions: Sessions, scope: Scope, headers: Headers) -> Response | None:
        """The answer to a browser that has not been let in, or to one that brings a code."""
        known = sessions.knows(_cookie(headers, sessions.cookie))
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        code = dict(query).get(CODE)
        if code is not None and scope["method"] == "GET":
            session = None if known else sessions.exchange(code)
            if known or session:
                return self._let_in(sessions.cookie, session, scope, query)
        if known:
            return None
        if is_visit(headers) and headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            return _ask_again(scope)
        used = " The code of this address is not valid or was used already." if code is not None else ""
        return _refused(
            401, f"open the address that `facespace serve` printed last; it lets in one browser, once.{used}"
        )

    def _let_in(
        self, cookie: str, session: str | None, scope: Scope, query: list[tuple[str, str]]
    ) -> Response:
        """To the same page without the code, so that it does not stay in the address."""
        answer = RedirectResponse(
            _target(scope, [pair for pair in query if pair[0] != CODE]), status_code=303
        )
        if session is not None:
            answer.set_cookie(cookie, session, httponly=True, samesite="strict")
            if self.on_entry is not None:
                self.on_entry()
        return answer


def _target(scope: Scope, query: list[tuple[str, str]]) -> str:
    # A path of two slashes would be read as another site's address.
    return "/" + quote(scope["path"].lstrip("/\\")) + (f"?{urlencode(query)}" if query else "")


def _ask_again(scope: Scope) -> Response:
    """Browsers withhold a strict cookie when a link on another site leads here; a link on a page of ours gets it."""
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    target = escape(_target(scope, query), quote=True)
    return HTMLResponse(
        f'<!doctype html><meta http-equiv="refresh" content="0; url={target}"><a href="{target}">Continue</a>'
    )


def _cookie(headers: Headers, name: str) -> str:
    """The cookie of that name; empty where there is none. Others of this host may be malformed."""
    for part in headers.get("cookie", "").split(";"):
        try:
            found = SimpleCookie(part.strip()).get(name)
        except CookieError:
            continue
        if found:
            return found.value
    return ""


def _refused(status: int, why: str) -> Response:
    return PlainTextResponse(f"facespace: {why}\n", status)
