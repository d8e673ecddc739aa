"""Connections that end where the other side does not go on: slow clients must not keep others waiting.

uvicorn waits without end for the head of a request, for its body, and until an answer was read, and it takes any number
of connections. Here each of these has a time, and where there are too many connections the one that has been waited
for longest makes room.
"""

import asyncio
import os
import socket
import struct
from contextlib import suppress
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 100
# Seconds for the head of a request, for its body, and to read an answer.
HEAD_S, BODY_S, READ_S = 10.0, 60.0, 120.0
CHECK_S = 1.0
# Of requests that are sent before the one before them is answered; uvicorn would keep them all.
MAX_AHEAD_BYTES = 2**16
NO_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


class Connection(H11Protocol):
    """HTTP/1.1 by uvicorn, with an end to its patience.

    Args:
        arguments: of uvicorn's.
        most: connections at a time; `MAX_CONNECTIONS` when None.
        body_s: seconds for a body; `BODY_S` when None.
        named: of uvicorn's.
    """

    def __init__(
        self, *arguments: Any, most: int | None = None, body_s: float | None = None, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self._most = MAX_CONNECTIONS if most is None else most
        self._body_s = BODY_S if body_s is None else body_s
        self._waits_for: float | None = None
        self._since = 0.0
        self._check: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room for the newest connection; it has the best chance to be somebody's."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            self._make_room()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop looking."""
        if self._check is not None:
            self._check.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take note of what is waited for from now on."""
        super().data_received(data)
        if self.conn.their_state is h11.DONE and len(self.conn.trailing_data[0]) > MAX_AHEAD_BYTES:
            self._drop()
        self._note()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request; where its beginning was one, nobody waits for the answer to that any more."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def _make_room(self) -> None:
        waiting = [c for c in self.connections if isinstance(c, Connection) and c._waits_for is not None]
        min(waiting, key=lambda connection: connection._since, default=self)._drop()

    def _drop(self) -> None:
        """End the connection at once; what the system still holds of an answer is thrown away too."""
        self.connections.discard(self)
        self._waits_for = None
        used = self.transport.get_extra_info("socket")
        with suppress(OSError):
            used.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.transport.abort()

    def _look(self) -> None:
        """Look every second whether the time is over."""
        self._note()
        if self._waits_for is not None and self.loop.time() - self._since > self._waits_for:
            self._drop()
        else:
            self._check = self.loop.call_later(CHECK_S, self._look)

    def _note(self) -> None:
        allowed = self._allowed_s()
        if allowed != self._waits_for:
            self._waits_for, self._since = allowed, self.loop.time()

    def _allowed_s(self) -> float | None:
        """How long the other side may take for what it owes; None where it is the server's turn."""
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            return READ_S
        if self.conn.their_state is h11.IDLE:
            return HEAD_S
        return self._body_s if self.conn.their_state is h11.SEND_BODY else None
