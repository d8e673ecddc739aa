"""How far a scan has come, kept in the library, so that whoever has it open sees it, whichever process scans."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from facespace.errors import LibraryError

__all__ = ["ScanProgress", "keep_progress", "read_progress"]

SAY_EVERY_S = 0.5
# A process that has been silent for so long was killed, or its disk hangs.
SILENT_S = 10.0


@dataclass(frozen=True)
class ScanProgress:
    """The last scan of a library, perhaps under way.

    Attributes:
        started_at: UTC, ISO 8601.
        heard_at: when it last said how far it is.
        ended_at: None where it has not ended, or was killed.
        done: photos.
        todo: photos to read in all; 0 while it looks through the folder.
    """

    started_at: str
    heard_at: str
    ended_at: str | None
    done: int
    todo: int

    @property
    def is_running(self) -> bool:
        """Under way now, as far as anybody has heard in the last seconds."""
        heard = datetime.fromisoformat(self.heard_at)
        return self.ended_at is None and (datetime.now(UTC) - heard).total_seconds() < SILENT_S


class Writes(Protocol):
    """What is asked of a library."""

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """All or nothing."""


class ProgressKeeper:
    """Writes the progress of one scan, not more often than people can see.

    Args:
        library: open.
    """

    def __init__(self, library: Writes) -> None:
        self._library = library
        self._started_at = _now()
        self._counts = (0, 0)
        self._said = 0.0
        self._say()

    def __call__(self, done: int, todo: int) -> None:
        """So many photos of so many are done."""
        self._counts = (done, todo)
        if time.monotonic() - self._said >= SAY_EVERY_S:
            self._say()

    def look(self, done: int, total: int) -> None:
        """Files are looked at: the scan is alive, but nothing is read yet."""
        self(0, 0)

    def end(self) -> None:
        """The scan is over, as far as it came."""
        self._say(_now())

    def _say(self, ended_at: str | None = None) -> None:
        with self._library.transaction() as catalogue:
            catalogue.execute(
                "INSERT OR REPLACE INTO scan VALUES (1, ?, ?, ?, ?, ?)",
                (self._started_at, _now(), ended_at, *self._counts),
            )
        self._said = time.monotonic()


@contextmanager
def keep_progress(library: Writes) -> Iterator[ProgressKeeper]:
    """A keeper for one scan; the scan counts as ended afterwards, however it ends.

    Raises:
        LibraryError: the library cannot be written.
    """
    keeper = ProgressKeeper(library)
    try:
        yield keeper
    except BaseException:
        with suppress(LibraryError):  # what went wrong first is what is told
            keeper.end()
        raise
    keeper.end()


def read_progress(catalogue: sqlite3.Connection) -> ScanProgress | None:
    """The last scan's; None where there was none since libraries keep it."""
    row = catalogue.execute("SELECT started_at, heard_at, ended_at, done, todo FROM scan").fetchone()
    return None if row is None else ScanProgress(*row)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
