"""One run of `facespace people`: scan, groups and page, perhaps another model, perhaps following the folder."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event

from facespace import __version__
from facespace.cli.console import say, warn
from facespace.cli.progress import progress
from facespace.embed import Embedder
from facespace.faces.detect import Detector
from facespace.images import Unreadable, list_photos
from facespace.library import (
    CATALOGUE,
    Library,
    People,
    ScanResult,
    group_people,
    library_model,
    reading_embedder,
    scan,
    upgrade,
    watch,
)
from facespace.library.page_files import note_page, page_is_current, page_key
from facespace.web.page import write_page
from facespace.web.text import counted

__all__ = ["PeopleRun", "is_nothing"]


@dataclass(frozen=True)
class PeopleRun:
    """What the steps of a run share.

    Attributes:
        library: open.
        photos: the folder.
        detector: finds the faces.
        embedder: the one that is wanted.
        strangers: the rule of the groups, or
        far: likewise.
        workers: threads; all cores when None.
    """

    library: Library
    photos: Path
    detector: Detector
    embedder: Embedder
    strangers: float
    far: float | None
    workers: int | None

    def scan(
        self, *, old_model: str | None, verify: bool, detect_anew: bool, drop_missing: bool
    ) -> ScanResult:
        """Read what is new, and say what is amiss."""
        with progress("finding faces") as on_photo:
            result = scan(
                self.library, self.photos, self.detector,
                reading_embedder(self.library, self.embedder, old=old_model), verify=verify,
                detect_anew=detect_anew, drop_missing=drop_missing, workers=self.workers, on_photo=on_photo,
                on_look=lambda done, n: on_photo(done, n, "comparing files"),
            )  # fmt: skip
        _warn_of(result.unreadable)
        if result.n_absent:
            warn(
                f"{counted(result.n_absent, 'photo')} of a disk or folder that is not there stay in the library; "
                "--drop-missing lets go of them"
            )
        if verify:
            changed = f"{len(result.altered)} changed behind an unchanged time, read again: "
            say(
                f"compared the content of {counted(result.n_photos, 'photo')}: "
                + (changed + ", ".join(result.altered) if result.altered else "as it was")
            )
        return result

    def group(self, unreadable: tuple[Unreadable, ...]) -> People:
        """Groups and page by the library's model, where they are not as they should be."""
        with progress("grouping"):
            return self._group(unreadable)

    def upgrade(self, *, keep_old: bool) -> bool:
        """Move the library to the embedder's model; whether there was something to do."""
        standing, wanted = library_model(self.library), self.embedder.spec
        moves = standing is not None and standing.sha256 != wanted.sha256
        if standing is not None and moves:
            say(f"{wanted.label} takes the place of {standing.label}; names and corrections stay")
        with progress("embedding faces again") as on_face:
            done = upgrade(
                self.library, self.photos, self.embedder, keep_old=keep_old, workers=self.workers, on_face=on_face
            )  # fmt: skip
        for missing in done.not_at_hand:
            warn(f"{missing.photo}: keeps the old model's template: {missing.reason}")
        if moves:
            say(done.line())
        return moves or done.n_embedded > 0

    def follow(self, told: Iterable[Unreadable]) -> None:
        """Until Ctrl-C; of the photos that cannot be read these were told before."""
        say(f"following {self.photos}; Ctrl-C ends")
        known = set(told)
        try:
            for result in watch(
                self.library, self.photos, self.detector, self.embedder, stop=Event(), workers=self.workers,
                on_trouble=warn,
            ):  # fmt: skip
                found = self._group(result.unreadable)
                _warn_of(set(result.unreadable) - known)
                known = set(result.unreadable)
                if result.has_changes:
                    say(f"{datetime.now():%H:%M:%S} {_changes(result)}: {_counts(found)}")
        except KeyboardInterrupt:
            say("stopped following; the library is up to date with what was read")

    def _group(self, unreadable: tuple[Unreadable, ...]) -> People:
        spec = library_model(self.library) or self.embedder.spec
        found = group_people(
            self.library, spec, strangers=self.strangers, far=self.far, unreadable=unreadable
        )
        key = page_key(__version__, self.photos.resolve(), found)
        if not page_is_current(self.library.folder, key):
            write_page(self.library, found, self.photos)
            note_page(self.library.folder, key)
        return found


def is_nothing(photos: Path, library: Path) -> bool:
    """Neither photos nor a library that may know of some."""
    return not (library / CATALOGUE).exists() and not list_photos(photos).photos


def _warn_of(photos: Iterable[Unreadable]) -> None:
    for unreadable in photos:
        warn(f"{unreadable.photo}: {unreadable.reason}")


def _changes(result: ScanResult) -> str:
    return f"{result.n_new} read, {result.n_moved} moved, {result.n_removed} gone"


def _counts(found: People) -> str:
    return f"{counted(len(found.seen_again), 'person', 'people')} in {counted(found.n_photos, 'photo')}"
