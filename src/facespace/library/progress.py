"""How far a job has come: reported to the caller, and of a scan kept in the library, so that every process sees it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from facespace.errors import LibraryError
from facespace.library.catalogue import Catalogue

# Files are hashed, photos read, videos read (by the second), groups worked out, faces embedded by another model.
Stage = Literal["comparing", "reading", "videos", "grouping", "embedding"]
# Called with the stage, how many are done, and how many there are; 0 of 0 where that is not known.
OnProgress = Callable[[Stage, int, int], None]

WRITE_EVERY_S = 0.5
# A process that has been silent for so long was killed, or its disk hangs.
SILENT_S = 10.0


@dataclass(frozen=True)
class ScanProgress:
    """The last scan of a library, perhaps under way.

    Attributes:
        started_at: UTC, ISO 8601.
        heard_at: of the last sign of life.
        ended_at: None where it has not ended, or was killed.
        done: photos, or seconds of video.
        todo: photos to read in all, or seconds of all videos; 0 while it looks through the folder.
        stage: "reading" photos, or "videos" after them.
    """

    started_at: str
    heard_at: str
    ended_at: str | None
    done: int
    todo: int
    stage: str = "reading"

    @property
    def is_running(self) -> bool:
        """Under way now, as far as anybody has heard in the last seconds."""
        heard = datetime.fromisoformat(self.heard_at)
        return self.ended_at is None and (datetime.now(UTC) - heard).total_seconds() < SILENT_S


@contextmanager
def keep_progress(catalogue: Catalogue, then: OnProgress | None = None) -> Iterator[OnProgress]:
    """Writes the progress of one scan, not more often than people can see; it counts as ended however it ends.

    Args:
        catalogue: open.
        then: called at every step too.
    """
    started_at, counts, written = _now(), (0, 0, "reading"), 0.0

    def write(ended_at: str | None = None) -> None:
        nonlocal written
        with catalogue.transaction():
            row = (started_at, _now(), ended_at, *counts)
            catalogue.execute("INSERT OR REPLACE INTO scan VALUES (1, ?, ?, ?, ?, ?, ?)", row)
        written = time.monotonic()

    def tell(stage: Stage, done: int, todo: int) -> None:
        nonlocal counts
        # While files are compared the scan is alive, but nothing is read yet.
        counts = (done, todo, stage) if stage in ("reading", "videos") else (0, 0, "reading")
        if time.monotonic() - written >= WRITE_EVERY_S:
            write()
        if then:
            then(stage, done, todo)

    write()
    try:
        yield tell
    except BaseException:
        with suppress(LibraryError):  # what went wrong first is what is reported
            write(_now())
        raise
    write(_now())


def read_progress(catalogue: Catalogue) -> ScanProgress | None:
    """The last scan's; None where there was none since libraries keep it."""
    row = catalogue.row("SELECT started_at, heard_at, ended_at, done, todo, stage FROM scan")
    return None if row is None else ScanProgress(**dict(row))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
