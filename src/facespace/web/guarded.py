"""The layer around the app: the guard, bodies of bounded size, the headers of every answer, and the last resort.

No route can be reached past it, and none has to remember it.
"""

import logging
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facespace.web.security import HEADERS, SAFE, Guard

__all__ = ["MAX_FORM_BYTES", "MAX_UPLOAD_BYTES", "Guarded"]

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
        self._held_bytes = 0

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
        body = _Body(self, MAX_UPLOAD_BYTES if scope["path"] in UPLOADS else MAX_FORM_BYTES)
        try:
            answer = await body.read(scope, receive)
            await (answer or self.app)(scope, body.replay(receive), send)
        finally:
            body.let_go()

    def hold(self, n_bytes: int) -> bool:
        """Count bytes that are held from now on, or fewer; whether there was room for them."""
        self._held_bytes += n_bytes
        return self._held_bytes <= MAX_HELD_BYTES


class _Body:
    """The body of one request."""

    def __init__(self, held_by: Guarded, max_bytes: int) -> None:
        self._held_bytes = 0
        self._held_by = held_by
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []

    async def read(self, scope: Scope, receive: Receive) -> Response | None:
        """Read all of it; an answer that refuses it, else None."""
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or len(length) > 18 or int(length) > self._max_bytes:
            return self._too_large()
        n_bytes, more, fits = 0, True, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return _refused(400, "the request was cut short")
            piece, more = message.get("body", b""), message.get("more_body", False)
            n_bytes += len(piece)
            if n_bytes > self._max_bytes:
                return self._too_large()
            # What there is no room for is read to its end all the same: else browsers do not see the answer.
            fits = fits and self._hold(piece)
        return None if fits else _refused(503, "others are sending photos; try again in a moment")

    def _hold(self, piece: bytes) -> bool:
        self._pieces.append(piece)
        self._held_bytes += len(piece)
        if self._held_by.hold(len(piece)):
            return True
        self.let_go()
        return False

    def let_go(self) -> None:
        """Hold nothing any more."""
        self._held_by.hold(-self._held_bytes)
        self._held_bytes = 0
        self._pieces.clear()

    def _too_large(self) -> Response:
        return _refused(413, f"expected at most {self._max_bytes // 2**20} MB")

    def replay(self, receive: Receive) -> Receive:
        """What was read as one message; afterwards whatever comes."""

        async def replayed() -> Message:
            if not self._pieces:
                return await receive()
            whole = b"".join(self._pieces)
            self._pieces.clear()
            return {"type": "http.request", "body": whole, "more_body": False}

        return replayed


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
