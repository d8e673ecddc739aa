"""The layer around the app: whole bodies of bounded size, time-outs, headers, counts, and the last resort."""

import asyncio
import logging
import re
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facespace.http.bodies import Bodies
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


class Front:
    """An ASGI app as the network sees it; no route can be reached past it.

    Args:
        app: with the routes.
        service: whose settings hold.
    """

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self._service = app, service
        limits = service.settings.limits
        self.bodies = Bodies(BODIES_HELD * limits.body_bytes, _refuse, full=429)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":  # no web sockets here
            answer = _Answer(send, self._service, scope)
            try:
                await self._answer(scope, receive, answer)
            except TimeoutError:
                await answer.fail(receive, _slow(self._service.settings.limits.timeout_s))
            except Exception:
                log.exception("%s %s failed", scope["method"], scope["path"])
                await answer.fail(receive, Problem(500, "fault", "this did not work; the log says why"))

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        refusal = self._refuses(scope)
        if refusal is not None:
            await refusal.answer()(scope, receive, answer.send)
        elif STREAMED.fullmatch(self._path(scope)):
            await self.app(scope, receive, answer.send)
        elif scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._timed(scope, receive, answer.send)
        else:
            await self.bodies.pass_on(
                self._timed, scope, receive, answer.send, max_bytes=self._service.settings.limits.body_bytes
            )

    async def _timed(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["facespace.begun"] = time.perf_counter()
        async with asyncio.timeout(self._service.settings.limits.timeout_s):
            await self.app(scope, receive, send)

    def _path(self, scope: Scope) -> str:
        """Without the part under which a proxy shows the service."""
        path: str = scope["path"]
        return path.removeprefix(self._service.settings.root_path)

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


class _Answer:
    """What is sent, with the headers that every answer carries; counted when it begins."""

    def __init__(self, send: Send, service: Service, scope: Scope) -> None:
        self._begun = False
        self._send, self._scope, self._metrics = send, scope, service.metrics

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not self._begun:
            self._begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            self._count(message["status"])
        await self._send(message)

    async def fail(self, receive: Receive, problem: Problem) -> None:
        """Answer with a problem, if nothing has been answered yet."""
        if not self._begun:
            await problem.answer()(self._scope, receive, self.send)

    def _count(self, status: int) -> None:
        # Not the address itself: names and ids would make endless series.
        route = getattr(self._scope.get("route"), "path", "none")
        self._metrics.requests.labels(route, self._scope["method"], status).inc()
        if "facespace.begun" in self._scope:
            took = time.perf_counter() - self._scope["facespace.begun"]
            self._metrics.seconds.labels(route).observe(took)


def _slow(limit_s: float) -> Problem:
    return Problem(503, "time-out", f"the answer took longer than {limit_s:g} s", {"Retry-After": "1"})


def _refuse(status: int, why: str) -> Response:
    kind = {413: "too-large", 429: "queue-full"}.get(status, "invalid")
    headers = {"Connection": "close", **({"Retry-After": "1"} if status == 429 else {})}
    return Problem(status, kind, why, headers).answer()
