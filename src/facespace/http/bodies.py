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
        pieces: list[bytes] = []
        try:
            answer = await self._read(pieces, scope, receive, max_bytes)
            await (answer or app)(scope, _replay(pieces, receive), send)
        finally:
            self._let_go(pieces)

    def hold(self, n_bytes: int) -> bool:
        """Count bytes that are held from now on, or fewer; whether there was room for them."""
        self._held_bytes += n_bytes
        return self._held_bytes <= self._max_held_bytes

    async def _read(
        self, pieces: list[bytes], scope: Scope, receive: Receive, max_bytes: int
    ) -> Response | None:
        """Read all of a body; an answer that refuses it, else None."""
        too_large = f"expected at most {max_bytes // 2**20} MB"
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or len(length) > 18 or int(length) > max_bytes:
            return self.refuse(413, too_large)
        n_bytes, more, fits = 0, True, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return self.refuse(400, "the request was cut short")
            piece, more = message.get("body", b""), message.get("more_body", False)
            n_bytes += len(piece)
            if n_bytes > max_bytes:
                return self.refuse(413, too_large)
            # What there is no room for is read to its end all the same: else browsers do not see the answer.
            if fits:
                pieces.append(piece)
                fits = self.hold(len(piece))
            if not fits:
                self._let_go(pieces)
        return None if fits else self.refuse(self.full, "others are sending photos; try again in a moment")

    def _let_go(self, pieces: list[bytes]) -> None:
        self.hold(-sum(map(len, pieces)))
        pieces.clear()


def _replay(pieces: list[bytes], receive: Receive) -> Receive:
    """What was read as one message; afterwards whatever comes."""
    is_sent = not pieces

    async def replayed() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": b"".join(pieces), "more_body": False}

    return replayed
