"""The main job of a library: scan, group, move to another model, page; once, or whenever the folder has changed."""

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TypedDict

from facespace.errors import DataError
from facespace.extract import FaceEmbedder, NamedDetector
from facespace.images import Stamp, StampedFiles, stamp_photos
from facespace.library.catalogue import Catalogue
from facespace.library.differences import QUICK, Look
from facespace.library.files import note_page, page_is_current, page_key, tidy
from facespace.library.grouping import Rule, keep_groups, last_rule
from facespace.library.people import People, group_people
from facespace.library.progress import OnProgress, read_progress
from facespace.library.scan import ScanResult, scan_files
from facespace.library.upgrading import Upgrade, library_model, reading_embedder, upgrade
from facespace.library.upgrading import drop_old as drop_old_templates


@dataclass(frozen=True)
class Refreshed:
    """A library after its photos were looked through.

    Attributes:
        scan: what was read.
        people: as they are grouped now.
        upgrade: the move to another model; None where the library stands on the wanted one, or the job was stopped.
    """

    scan: ScanResult
    people: People
    upgrade: Upgrade | None = None


class HowToWork(TypedDict, total=False):
    """Threads; what is called with (stage, done, in all); what ends the job within a photo's time once it is set."""

    workers: int | None
    progress: OnProgress | None
    stop: Event | None


@dataclass(frozen=True)
class Regroup:
    """Brings groups and page up to date after a scan.

    Attributes:
        catalogue: open.
        photos: the folder.
        embedder: names the model of a library that stands on none yet.
        rule: that of the last groups where None.
        write_page: called with the people and the folder; None for no page.
        progress: called with ("grouping", 0, 0).
    """

    catalogue: Catalogue
    photos: Path
    embedder: FaceEmbedder
    rule: Rule | None
    write_page: Callable[[People, Path], object] | None
    progress: OnProgress | None

    def __call__(self, scan: ScanResult) -> Refreshed:
        """Errors as of `group_people`, and those of the page."""
        if self.progress:
            self.progress("grouping", 0, 0)
        spec = library_model(self.catalogue) or self.embedder.spec
        people = group_people(self.catalogue, spec, self.rule)
        people = dataclasses.replace(people, unreadable=scan.unreadable)
        if self.write_page is not None:
            key = page_key(str(self.photos.resolve()), people.to_json())
            if not page_is_current(self.catalogue.folder, key):
                self.write_page(people, self.photos)
                note_page(self.catalogue.folder, key)
        return Refreshed(scan, people)


def refresh(
    regroup: Regroup,
    detector: NamedDetector,
    *,
    look: Look,
    old_model: str | Path | None,
    drop_old: bool,
    how: HowToWork,
) -> Refreshed:
    """See `facespace.library.Library.refresh`."""
    catalogue, photos, wanted = regroup.catalogue, regroup.photos, regroup.embedder
    tidy(catalogue.folder)
    reader = reading_embedder(catalogue, wanted, old=old_model)
    scan = scan_files(
        catalogue, photos, stamp_photos(photos, videos=True), detector, reader, look=look, **how
    )
    done, stop = regroup(scan), how.get("stop")
    catalogue.templates.refresh_indexes()
    if stop is not None and stop.is_set():
        return done
    before = library_model(catalogue)
    moved = upgrade(catalogue, photos, wanted, rule=regroup.rule, **how)
    if drop_old and moved.is_complete:
        drop_old_templates(catalogue)
    if moved.n_embedded or (before is not None and before.sha256 != wanted.spec.sha256):
        return dataclasses.replace(regroup(scan), upgrade=moved)
    return done


def regroup(catalogue: Catalogue) -> bool:
    """Work the suggestions out again by the rule of the last groups; whether they came out otherwise."""
    spec = library_model(catalogue)
    if spec is None:
        return False
    before = _assignments(catalogue)
    keep_groups(catalogue, spec, last_rule(catalogue))
    return _assignments(catalogue) != before


def _assignments(catalogue: Catalogue) -> list[tuple[int, ...]]:
    return [tuple(row) for row in catalogue.stream("SELECT face_id, person_id FROM assignments")]


# Looks take at most a tenth of the time, what follows from them at most half.
REST_PER_LOOK = 9.0
LEAST_REST_S, MOST_REST_S = 0.5, 60.0
# A file that is being written or moved changes within this time.
QUIET_S = 1.5


def follow(
    catalogue: Catalogue,
    photos: Path,
    detector: NamedDetector,
    embedder: FaceEmbedder,
    *,
    stop: Event,
    look: Look = QUICK,
    workers: int | None = None,
    quiet_s: float = QUIET_S,
    progress: OnProgress | None = None,
    on_trouble: Callable[[str], None] | None = None,
) -> Iterator[ScanResult]:
    """Scan whenever the folder has changed, and yield what each scan did; see `facespace.library.Library.watch`."""
    follower = Follower(catalogue, photos, quiet_s, on_trouble or _pass_over)
    while not stop.is_set():
        begin = time.monotonic()
        found = follower.look()
        looked = time.monotonic() - begin
        if found is not None:
            result = follower.scan(
                found, detector, embedder, look=look, workers=workers, progress=progress, stop=stop
            )
            if result is not None:
                yield result
        rest = max(REST_PER_LOOK * looked, time.monotonic() - begin)
        stop.wait(min(max(rest, LEAST_REST_S), MOST_REST_S))


class Follower:
    """What was seen at the last looks.

    Args:
        catalogue: open.
        photos: the folder.
        quiet_s: seconds for which a file must not have changed.
        on_trouble: called with one line.
    """

    def __init__(
        self, catalogue: Catalogue, photos: Path, quiet_s: float, on_trouble: Callable[[str], None]
    ) -> None:
        self._catalogue = catalogue
        self._photos = photos
        self._quiet_s = quiet_s
        self._on_trouble = on_trouble
        self._trouble = ""
        self._seen: dict[str, Stamp] | None = None  # what was found when a scan came to nothing
        self._since: dict[str, tuple[Stamp | None, float]] = {}
        self._kept: dict[str, Stamp] = {}
        self._moment: tuple[int, int] | None = None
        self._state = _state(catalogue)

    def look(self) -> StampedFiles | None:
        """What a scan should find; None where there is nothing for it to do."""
        try:
            found = stamp_photos(self._photos, videos=True)
        except DataError as error:
            self._say(str(error))
            return None
        kept = self._read_kept()
        view = self._as_it_will_be(found, kept)
        other = read_progress(self._catalogue)
        if other is not None and other.is_running:
            return None
        if view.stamps == kept:
            self._trouble = ""
        elif view.stamps != self._seen:
            return view
        return None if _state(self._catalogue) == self._state else view

    def scan(
        self,
        found: StampedFiles,
        detector: NamedDetector,
        embedder: FaceEmbedder,
        *,
        stop: Event,
        look: Look = QUICK,
        workers: int | None = None,
        progress: OnProgress | None = None,
    ) -> ScanResult | None:
        """None where the folder shows none of the known photos."""
        try:
            result = scan_files(
                self._catalogue, self._photos, found, detector, embedder, look=look, workers=workers,
                progress=progress, stop=stop
            )  # fmt: skip
        except DataError as error:
            self._seen, self._state = found.stamps, _state(self._catalogue)
            self._say(str(error))
            return None
        # Before the groups are worked out: corrections meanwhile are seen at the next look.
        self._state = _state(self._catalogue)
        self._trouble, self._seen = "", None if result.has_changes else found.stamps
        return result

    def _read_kept(self) -> dict[str, Stamp]:
        moment = self._catalogue.moment()
        if moment != self._moment:
            self._kept, self._moment = self._catalogue.stamps(), moment
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


def _state(catalogue: Catalogue) -> tuple[object, ...]:
    """Changes with every photo and template that comes or goes, and with every correction."""
    row = catalogue.row(
        "SELECT (SELECT max(change_id) FROM changes), (SELECT count(*) FROM changes), (SELECT count(*) FROM ignored),"
        " (SELECT max(photo_id) FROM photos), (SELECT count(*) FROM photos)"
    )
    templates = [catalogue.templates.extent(model) for model in catalogue.templates.count()]
    return *templates, *(row or ())
