"""Follow a folder of photos: what comes, changes, moves or goes is taken in a few seconds later.

By looking again and again, not by the file system's notices: these do not come from network shares, nor for more
folders than the system's limit allows, and a look where nothing has changed costs one question a file.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

from facespace.errors import DataError
from facespace.extract import FaceEmbedder
from facespace.images import Stamp, StampedFiles, stamp_photos
from facespace.library.library import Library
from facespace.library.scan import ScanningDetector, ScanResult, scan_files
from facespace.store import path_out

__all__ = ["watch"]

# Looks take at most a tenth of the time, what follows from them at most half.
REST_PER_LOOK = 9.0
LEAST_REST_S, MOST_REST_S = 0.5, 60.0
# A file that is being written or moved changes within this time.
QUIET_S = 1.5


def watch(
    library: Library,
    photos: Path,
    detector: ScanningDetector,
    embedder: FaceEmbedder,
    *,
    stop: Event,
    workers: int | None = None,
    quiet_s: float = QUIET_S,
    on_photo: Callable[[int, int], None] | None = None,
    on_trouble: Callable[[str], None] | None = None,
) -> Iterator[ScanResult]:
    """Scan whenever the folder has changed, and yield what each scan did.

    Files that were changed, written or removed a moment ago are left for a later look, the others are taken in. A
    result without changes is yielded where another process has changed the library, so that groups and pages can
    follow; while another process scans, this one waits. A folder that is not there, or shows none of the known photos
    (a disk that was unplugged), is waited for.

    Args:
        library: open, of this thread.
        photos: the folder.
        detector: finds the faces.
        embedder: embeds them; must have a byte form.
        stop: once it is set, in whatever thread, the iteration ends within a photo's time.
        workers: threads; all cores when absent.
        quiet_s: seconds for which a file must not have changed.
        on_photo: as of `scan`.
        on_trouble: called with one line when the folder cannot be looked at, once for each reason.

    Raises:
        LibraryError: the library cannot be written.
    """
    follower = _Follower(library, photos, quiet_s, on_trouble or _pass_over)
    while not stop.is_set():
        begin = time.monotonic()
        found = follower.look()
        looked = time.monotonic() - begin
        if found is not None:
            result = follower.scan(found, detector, embedder, workers, on_photo, stop)
            if result is not None:
                yield result
        rest = max(REST_PER_LOOK * looked, time.monotonic() - begin)
        stop.wait(min(max(rest, LEAST_REST_S), MOST_REST_S))


class _Follower:
    """What was seen at the last looks.

    Args:
        library: open.
        photos: the folder.
        quiet_s: seconds for which a file must not have changed.
        on_trouble: called with one line.
    """

    def __init__(
        self, library: Library, photos: Path, quiet_s: float, on_trouble: Callable[[str], None]
    ) -> None:
        self._library = library
        self._photos = photos
        self._quiet_s = quiet_s
        self._on_trouble = on_trouble
        self._trouble = ""
        self._seen: dict[str, Stamp] | None = None  # what was found when a scan came to nothing
        self._since: dict[str, tuple[Stamp | None, float]] = {}
        self._kept: dict[str, Stamp] = {}
        self._moment: tuple[int, int] | None = None
        self._state = _state(library.catalogue)

    def look(self) -> StampedFiles | None:
        """What a scan should find; None where there is nothing for it to do."""
        try:
            found = stamp_photos(self._photos)
        except DataError as error:
            self._say(str(error))
            return None
        kept = self._read_kept()
        view = self._as_it_will_be(found, kept)
        other = self._library.scan_progress()
        if other is not None and other.is_running:
            return None
        if view.stamps == kept:
            self._trouble = ""
        elif view.stamps != self._seen:
            return view
        return None if _state(self._library.catalogue) == self._state else view

    def scan(
        self,
        found: StampedFiles,
        detector: ScanningDetector,
        embedder: FaceEmbedder,
        workers: int | None,
        on_photo: Callable[[int, int], None] | None,
        stop: Event,
    ) -> ScanResult | None:
        """None where the folder shows none of the known photos."""
        try:
            result = scan_files(
                self._library,
                self._photos,
                found,
                detector,
                embedder,
                workers=workers,
                on_photo=on_photo,
                stop=stop,
            )
        except DataError as error:
            self._seen, self._state = found.stamps, _state(self._library.catalogue)
            self._say(str(error))
            return None
        # Before the groups are worked out: what is said meanwhile is seen at the next look.
        self._state = _state(self._library.catalogue)
        self._trouble, self._seen = "", None if result.has_changes else found.stamps
        return result

    def _read_kept(self) -> dict[str, Stamp]:
        moment = _moment(self._library.catalogue)
        if moment != self._moment:
            self._kept, self._moment = _stamps(self._library.catalogue), moment
        return self._kept

    def _as_it_will_be(self, found: StampedFiles, kept: dict[str, Stamp]) -> StampedFiles:
        """The folder with what has not been quiet for long enough as the library has it."""
        if found.stamps == kept:
            self._since = {}
            return found
        now, stamps, since = time.monotonic(), dict(found.stamps), {}
        for path in {path for path, _ in found.stamps.items() ^ kept.items()}:
            stamp = found.stamps.get(path)
            before = self._since.get(path)
            since[path] = before if before is not None and before[0] == stamp else (stamp, now)
            if now - since[path][1] < self._quiet_s:
                stamps.pop(path, None)
                if path in kept:
                    stamps[path] = kept[path]
        self._since = since
        return StampedFiles(stamps, found.unreadable)

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._on_trouble(trouble)


def _pass_over(trouble: str) -> None:
    """Nobody wants to hear of it."""


def _stamps(catalogue: sqlite3.Connection) -> dict[str, Stamp]:
    """Of each photo that is there, by path."""
    rows = catalogue.execute(
        "SELECT path, device, inode, size_bytes, mtime_ns FROM photos WHERE path IS NOT NULL"
    )
    return {path_out(row[0]): row[1:] for row in rows}


def _moment(catalogue: sqlite3.Connection) -> tuple[int, int]:
    """Changes whenever this or another process writes."""
    (version,) = catalogue.execute("PRAGMA data_version").fetchone()
    return version, catalogue.total_changes


def _state(catalogue: sqlite3.Connection) -> tuple[int | None, ...]:
    """Changes with every photo and template that comes or goes, and with every word that is said."""
    row = catalogue.execute(
        "SELECT (SELECT max(template_id) FROM templates), (SELECT count(*) FROM templates),"
        " (SELECT max(change_id) FROM changes), (SELECT count(*) FROM changes), (SELECT count(*) FROM ignored),"
        " (SELECT max(photo_id) FROM photos), (SELECT count(*) FROM photos)"
    ).fetchone()
    return tuple(row)
