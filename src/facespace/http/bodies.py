"""Whole bodies of requests in memory: each of bounded size, and all of them together."""

from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Refuse = Callable[[int, str], Response]


class Bodies:
    """All bodies that are in memory at a moment.

    Args:
        max_held_bytes: of all of them.
        refuse: the answer of a status with a line for people. The connection must end with it, since what of a body
            was not read would be taken for the next request.
        full: the status where others hold all the memory.
    """

    def __init__(self, max_held_bytes: int, refuse: Refuse, *, full: int = 503) -> None:
        self._held_bytes = 0
        self._max_held_bytes = max_held_bytes
        self.refuse, self.full = refuse, full

    async def pass_on(
        self, app: ASGIApp, scope: Scope, receive: Receive, send: Send, *, max_bytes: int
    ) -> None:
        """Read the body of a request, then let the app answer."""
        body = _Body(self, max_bytes)
        try:
            answer = await body.read(scope, receive)
            await (answer or app)(scope, body.replay(receive), send)
        finally:
            body.let_go()

    def hold(self, n_bytes: int) -> bool:
        """Count bytes that are held from now on, or fewer; whether there was room for them."""
        self._held_bytes += n_bytes
        return self._held_bytes <= self._max_held_bytes


class _Body:
    """The body of one request."""

    def __init__(self, held_by: Bodies, max_bytes: int) -> None:
        self._held_bytes = 0
        self._held_by = held_by
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []

    async def read(self, scope: Scope, receive: Receive) -> Response | None:
        """Read all of it; an answer that refuses it, else None."""
        refuse = self._held_by.refuse
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or len(length) > 18 or int(length) > self._max_bytes:
            return self._too_large()
        n_bytes, more, fits = 0, True, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return refuse(400, "the request was cut short")
            piece, more = message.get("body", b""), message.get("more_body", False)
            n_bytes += len(piece)
            if n_bytes > self._max_bytes:
                return self._too_large()
            # What there is no room for is read to its end all the same: else browsers do not see the answer.
            fits = fits and self._hold(piece)
        return (
            None if fits else refuse(self._held_by.full, "others are sending photos; try again in a moment")
        )

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
        return self._held_by.refuse(413, f"expected at most {self._max_bytes // 2**20} MB")

    def replay(self, receive: Receive) -> Receive:
        """What was read as one message; afterwards whatever comes."""

        async def replayed() -> Message:
            if not self._pieces:
                return await receive()
            whole = b"".join(self._pieces)
            self._pieces.clear()
            return {"type": "http.request", "body": whole, "more_body": False}

        return replayed
