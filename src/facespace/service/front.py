"""The layer around the app: whole bodies of bounded size, time-outs, headers, counts, and the last resort."""

import asyncio
import logging
import re
import time

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from facespace.http.bodies import Bodies
from facespace.http.layer import Layer
from facespace.http.lines import address_of, is_foreign, without_port
from facespace.http.listening import LOOPBACK
from facespace.service.problems import Problem
from facespace.service.service import Service

log = logging.getLogger(__name__)
# What all bodies in memory may take, as a number of largest ones.
BODIES_HELD = 16
# Routes that take or send pieces for as long as it goes on, under limits of their own.
STREAMED = re.compile(r"/v1/galleries/[^/]+/(enrolments|export)")
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Front(Layer):
    """A service as the network sees it.

    Args:
        app: with the routes.
        service: whose settings hold.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        super().__init__(app, HEADERS)
        self._service = service
        self.bodies = Bodies(BODIES_HELD * service.settings.limits.body_bytes, _refuse, full=429)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Layer.answer`."""
        refusal, settings = self._refuses(scope), self._service.settings
        if refusal is not None:
            await refusal.answer()(scope, receive, send)
        elif STREAMED.fullmatch(scope["path"].removeprefix(settings.root_path)):
            await self.app(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._timed(scope, receive, send)
        else:
            most = settings.limits.body_bytes
            await self.bodies.pass_on(self._timed, scope, receive, send, max_bytes=most)

    def failed(self, scope: Scope, error: Exception) -> Response:
        """See `Layer.failed`."""
        if isinstance(error, TimeoutError):
            slow = f"the answer took longer than {self._service.settings.limits.timeout_s:g} s"
            return Problem(503, "time-out", slow, {"Retry-After": "1"}).answer()
        log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
        return Problem(500, "fault", "this did not work; the log says why").answer()

    def begins(self, scope: Scope, status: int) -> None:
        """Count the answer."""
        # Not the address itself: names and ids would make endless series.
        route, metrics = getattr(scope.get("route"), "path", "none"), self._service.metrics
        metrics.requests.labels(route, scope["method"], status).inc()
        if "facespace.begun" in scope:
            metrics.seconds.labels(route).observe(time.perf_counter() - scope["facespace.begun"])

    async def _timed(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["facespace.begun"] = time.perf_counter()
        async with asyncio.timeout(self._service.settings.limits.timeout_s):
            await self.app(scope, receive, send)

    def _refuses(self, scope: Scope) -> Problem | None:
        """Without keys only programs of this machine may ask: a page in a browser may not, whatever its name."""
        settings = self._service.settings
        if settings.keys:
            return None
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if without_port(host) not in (*LOOPBACK, *settings.hosts) and host != address_of(scope):
            return Problem(403, "origin", "this is not an address of this service")
        origin = headers.get("origin")
        if origin not in settings.origins and is_foreign(headers, host, safe=scope["method"] == "GET"):
            return Problem(
                403, "origin", "another site may not ask this; --allow-origin names those that may"
            )
        return None


def _refuse(status: int, why: str) -> Response:
    kind = {413: "too-large", 429: "queue-full"}.get(status, "invalid")
    headers = {"Connection": "close", **({"Retry-After": "1"} if status == 429 else {})}
    return Problem(status, kind, why, headers).answer()
