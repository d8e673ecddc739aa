"""The layer around the app: the guard, bodies of bounded size, the headers of every answer, and the last resort.

No route can be reached past it, and none has to remember it.
"""

import logging
from urllib.parse import parse_qsl

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facespace.http.bodies import Bodies
from facespace.web.security import HEADERS, SAFE, Guard

MAX_UPLOAD_BYTES = 64 * 2**20
MAX_FORM_BYTES = 2 * 2**20
# Of all bodies that are in memory at a moment.
MAX_HELD_BYTES = 2 * MAX_UPLOAD_BYTES
UPLOADS = frozenset({"/search/photo"})

log = logging.getLogger(__name__)


class Guarded:
    """An ASGI app behind a `Guard`, which sees whole bodies only."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self.app = app
        self._guard = guard
        self.bodies = Bodies(MAX_HELD_BYTES, _refused)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":  # no web sockets here
            answer = _Answer(send)
            try:
                await self._answer(scope, receive, answer.send)
            except Exception:
                log.exception("%s %s failed", scope["method"], scope["path"])
                if not answer.begun:
                    await _refused(500, "this did not work; the terminal of the server says why")(
                        scope, receive, answer.send
                    )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._guard.refuses(scope) or _repeats(scope)
        if refusal is not None or scope["method"] in SAFE:
            await (refusal or self.app)(scope, receive, send)
            return
        most = MAX_UPLOAD_BYTES if scope["path"] in UPLOADS else MAX_FORM_BYTES
        await self.bodies.pass_on(self.app, scope, receive, send, max_bytes=most)


class _Answer:
    """What is sent, with the headers that every answer carries."""

    def __init__(self, send: Send) -> None:
        self.begun = False
        self._send = send

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            # Faces must not stay in a browser's cache after they were forgotten here.
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


def _repeats(scope: Scope) -> Response | None:
    """Of a field that stands in an address twice nobody knows which is meant."""
    fields = [name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)]
    return (
        None if len(fields) == len(set(fields)) else _refused(400, "expected each field of the address once")
    )


def _refused(status: int, why: str) -> Response:
    # What of a body was not read would be taken for the next request.
    return PlainTextResponse(f"facespace: {why}\n", status, headers={"Connection": "close"})
