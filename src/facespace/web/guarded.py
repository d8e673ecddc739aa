"""The layer around the app: the guard, bodies of bounded size, the headers of every answer, and the last resort."""

import logging
from urllib.parse import parse_qsl

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from facespace.http.bodies import Bodies
from facespace.http.layer import Layer
from facespace.web.security import HEADERS, SAFE, Guard

MAX_UPLOAD_BYTES = 64 * 2**20
MAX_FORM_BYTES = 2 * 2**20
# Of all bodies that are in memory at a moment.
MAX_HELD_BYTES = 2 * MAX_UPLOAD_BYTES
UPLOADS = frozenset({"/search/photo"})

log = logging.getLogger(__name__)


class Guarded(Layer):
    """An ASGI app behind a `Guard`, which sees whole bodies only."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        # Faces must not stay in a browser's cache after they were forgotten here.
        super().__init__(app, {**HEADERS, "Cache-Control": "no-store"})
        self._guard = guard
        self.bodies = Bodies(MAX_HELD_BYTES, _refused)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See `Layer.answer`."""
        refusal = self._guard.refuses(scope) or _repeats(scope)
        if refusal is not None or scope["method"] in SAFE:
            await (refusal or self.app)(scope, receive, send)
            return
        most = MAX_UPLOAD_BYTES if scope["path"] in UPLOADS else MAX_FORM_BYTES
        await self.bodies.pass_on(self.app, scope, receive, send, max_bytes=most)

    def failed(self, scope: Scope, error: Exception) -> Response:
        """See `Layer.failed`."""
        log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
        return _refused(500, "this did not work; the terminal of the server says why")


def _repeats(scope: Scope) -> Response | None:
    """Of a field that stands in an address twice nobody knows which is meant."""
    fields = [name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)]
    return (
        None if len(fields) == len(set(fields)) else _refused(400, "expected each field of the address once")
    )


def _refused(status: int, why: str) -> Response:
    # What of a body was not read would be taken for the next request.
    return PlainTextResponse(f"facespace: {why}\n", status, headers={"Connection": "close"})
