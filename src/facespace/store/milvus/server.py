"""The connection to a Milvus server: every request with a time-out, repeated while that can help, and at one moment."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from facespace.errors import FacespaceError, GalleryError
from facespace.store.milvus.address import MilvusAddress

if TYPE_CHECKING:
    from pymilvus import MilvusClient

# A request may take so long, and is repeated for so long while the server is away, busy or starting.
REQUEST_S, PATIENCE_S = 20.0, 30.0
# A collection of hundreds of millions of rows is loaded in minutes.
LOADING_S = 1800.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0

# Codes of Milvus for what passes: the service, a collection, a replica, a channel, a segment or a node is not ready
# (yet, or again after a start), or too much is asked of it.
PASSING = {1, 2, 3, 4, 8, 101, 103, 201, 202, 400, 401, 500, 501, 502, 503, 600, 601, 602, 901, 902, 903, 904}

Answer = TypeVar("Answer")


class MilvusServer:
    """A connection; belongs to the thread that opened it.

    Every request is such that asking twice does what asking once does, so that one whose answer was lost is repeated.

    Args:
        address: of the gallery.
        token: "user:password" or a key; empty where the server asks for none.

    Raises:
        GalleryError: here and by every request: pymilvus or milvus-lite is not installed, or the server cannot be
            reached, refuses, or does not answer in time.
    """

    def __init__(self, address: MilvusAddress, token: str = "") -> None:
        self.address = address
        self._moment: int | None = None  # of the open snapshot
        self._depth = 0
        self.client = self.ask("connect", lambda: _connect(address, token))

    def close(self) -> None:
        """End the connection."""
        self.client.close()

    def now(self) -> int:
        """A timestamp of the server that is later than all before: milliseconds in the upper 46 bits."""
        if self.address.is_lite:  # which keeps no time of its own
            return int(time.time() * 1000) << 18
        return int(self.ask("tell the time", lambda: self.client._get_connection().alloc_timestamp()))

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see at least what any process had written when it began."""
        self._depth += 1
        try:
            if self._depth == 1 and not self.address.is_lite and self.address.consistency == "strong":
                self._moment = self.now()
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._moment = None

    @property
    def is_outermost(self) -> bool:
        """Whether the open snapshot is in no other one."""
        return self._depth == 1

    def reading(self) -> dict[str, Any]:
        """The arguments of a read: how new what it sees must be."""
        if self.address.consistency == "session":
            return {"consistency_level": "Session", "timeout": REQUEST_S}
        if self._moment is None:
            return {"consistency_level": "Strong", "timeout": REQUEST_S}
        return {
            "consistency_level": "Customized", "guarantee_timestamp": self._moment, "timeout": REQUEST_S,
        }  # fmt: skip

    def ask(self, what: str, request: Callable[[], Answer], *, patience_s: float | None = None) -> Answer:
        """What a request answers, which is repeated with growing pauses while that can help."""
        until = time.monotonic() + (PATIENCE_S if patience_s is None else patience_s)
        pause = FIRST_PAUSE_S
        while True:
            try:
                return request()
            except FacespaceError:
                raise
            except Exception as error:
                if not _may_pass(error) or time.monotonic() + pause > until:
                    raise GalleryError(f"{self.address.text}: cannot {what}: {_reason(error)}") from error
            time.sleep(pause * random.uniform(0.5, 1.0))  # many clients do not come back at once
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def has(self, collection: str) -> bool:
        """Whether there is such a collection."""
        return self.ask("look", lambda: self.client.has_collection(collection, timeout=REQUEST_S))

    def load(self, collection: str) -> None:
        """Have a collection ready to be read."""
        self.ask(
            f"load {collection}", lambda: self.client.load_collection(collection, timeout=LOADING_S),
            patience_s=LOADING_S,
        )  # fmt: skip


def _connect(address: MilvusAddress, token: str) -> "MilvusClient":
    try:
        from pymilvus import MilvusClient
    except ImportError as error:
        raise GalleryError(
            f"{address.text}: expected pymilvus; install it: pip install 'facespace[milvus]'"
        ) from error
    if address.is_lite and not Path(address.uri).parent.is_dir():
        raise GalleryError(f"{address.text}: expected a file in a folder that is there")
    try:
        # A connection of its own: one that is shared is closed under the others' feet.
        return MilvusClient(
            uri=address.uri, token=token, db_name=address.database, timeout=REQUEST_S, dedicated=True
        )
    except ImportError as error:  # of milvus-lite
        raise GalleryError(f"{address.text}: {error}") from error


def _may_pass(error: Exception) -> bool:
    """Whether a request that failed so may succeed later."""
    code = getattr(error, "code", None)
    code = code() if callable(code) else code  # of gRPC
    if isinstance(code, int):
        return code in PASSING or (code == 65535 and "not ready" in str(error))
    return getattr(code, "name", "") in ("UNAVAILABLE", "DEADLINE_EXCEEDED")


def _reason(error: Exception) -> str:
    """In one line."""
    text = getattr(error, "message", "") or str(error)
    code = getattr(error, "code", None)
    if code == 2 or "StatusCode.UNAVAILABLE" in text:
        return "the server is away; start it, or look at the address"
    if "DEADLINE_EXCEEDED" in text:
        return f"no answer within {REQUEST_S:g} s; look at the server's load"
    if "auth" in text.lower():
        return f"the server refuses: {text.splitlines()[0]}; give the token: FACESPACE_MILVUS_TOKEN=user:password"
    return " ".join(text.split())[:300]
