"""A folder that is followed: when a scan has something to do, and what it should find."""

import time
from collections.abc import Callable, Iterator
from threading import Event

from facespace.errors import DataError
from facespace.images import Stamp, StampedFiles, stamp_photos
from facespace.library.catalogue import Catalogue
from facespace.library.progress import read_progress
from facespace.library.scan import Scan, ScanResult

# Looks take at most a tenth of the time, what follows from them at most half.
REST_PER_LOOK = 9.0
LEAST_REST_S, MOST_REST_S = 0.5, 60.0
# A file that is being written or moved changes within this time.
QUIET_S = 1.5


def follow(
    scan: Scan, stop: Event, *, quiet_s: float, on_trouble: Callable[[str], None] | None
) -> Iterator[ScanResult]:
    """Scan whenever the folder has changed, and yield what each scan did; see `facespace.library.Library.watch`."""
    follower = Follower(scan, quiet_s, on_trouble)
    while not stop.is_set():
        begin = time.monotonic()
        found = follower.look()
        looked = time.monotonic() - begin
        if found is not None and (result := follower.scan(found)) is not None:
            yield result
        rest = max(REST_PER_LOOK * looked, time.monotonic() - begin)
        stop.wait(min(max(rest, LEAST_REST_S), MOST_REST_S))


class Follower:
    """What was seen at the last looks.

    Args:
        scan: of the folder.
        quiet_s: seconds for which a file must not have changed.
        on_trouble: called with one line.
    """

    def __init__(self, scan: Scan, quiet_s: float, on_trouble: Callable[[str], None] | None = None) -> None:
        self._scan = scan
        self._catalogue = scan.catalogue
        self._quiet_s = quiet_s
        self._on_trouble = on_trouble
        self._trouble = ""
        self._seen: dict[str, Stamp] | None = None  # what was found when a scan came to nothing
        self._since: dict[str, tuple[Stamp | None, float]] = {}
        self._kept: dict[str, Stamp] = {}
        self._moment: tuple[int, int] | None = None
        self._state = _state(self._catalogue)

    def look(self) -> StampedFiles | None:
        """What a scan should find; None where there is nothing for it to do."""
        try:
            found = stamp_photos(self._scan.photos, videos=True)
        except DataError as error:
            self._report(str(error))
            return None
        moment = self._catalogue.moment()
        if moment != self._moment:
            self._kept, self._moment = self._catalogue.stamps(), moment
        view = self._as_it_will_be(found, self._kept)
        other = read_progress(self._catalogue)
        if other is not None and other.is_running:
            return None
        if view.stamps == self._kept:
            self._trouble = ""
        elif view.stamps != self._seen:
            return view
        return None if _state(self._catalogue) == self._state else view

    def scan(self, found: StampedFiles) -> ScanResult | None:
        """None where the folder shows none of the known photos."""
        try:
            result = self._scan.run(found)
        except DataError as error:
            self._seen, self._state = found.stamps, _state(self._catalogue)
            self._report(str(error))
            return None
        # Before the groups are worked out: corrections meanwhile are seen at the next look.
        self._state = _state(self._catalogue)
        self._trouble, self._seen = "", None if result.has_changes else found.stamps
        return result

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

    def _report(self, trouble: str) -> None:
        if trouble != self._trouble and self._on_trouble:
            self._on_trouble(trouble)
        self._trouble = trouble


def _state(catalogue: Catalogue) -> tuple[object, ...]:
    """Changes with every photo and template that comes or goes, and with every correction."""
    row = catalogue.row(
        "SELECT (SELECT max(change_id) FROM changes), (SELECT count(*) FROM changes), (SELECT count(*) FROM ignored),"
        " (SELECT max(photo_id) FROM photos), (SELECT count(*) FROM photos)"
    )
    templates = [catalogue.templates.extent(model) for model in catalogue.templates.count()]
    return *templates, *(row or ())
