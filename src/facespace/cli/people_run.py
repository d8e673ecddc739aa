"""One run of `facespace people`: what is told of `Library.refresh` and `Library.watch`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event

from facespace.cli.console import say, warn
from facespace.cli.progress import progress
from facespace.embed import Embedder
from facespace.faces.detect import Detector
from facespace.images import EVERY_S, Unreadable, list_photos
from facespace.library import CATALOGUE, Library, Look, People, Refreshed, Rule, ScanResult, Stage
from facespace.web.page import write_page
from facespace.web.text import counted

__all__ = ["PeopleRun", "is_nothing"]

DOING: dict[Stage, str] = {
    "comparing": "comparing files",
    "reading": "finding faces",
    "videos": "finding faces in videos, by the second",
    "grouping": "grouping",
    "embedding": "embedding faces again",
}


@dataclass(frozen=True)
class PeopleRun:
    """What the steps of a run share.

    Attributes:
        library: open.
        photos: the folder.
        detector: finds the faces.
        embedder: the one that is wanted.
        rule: of the groups.
        workers: threads; all cores when None.
        every_s: seconds between the frames of a video that are looked at.
    """

    library: Library
    photos: Path
    detector: Detector
    embedder: Embedder
    rule: Rule
    workers: int | None
    every_s: float = EVERY_S

    def refresh(self, *, look: Look, old_model: str | None, drop_old: bool) -> Refreshed:
        """Bring the library up to date, and say what is amiss."""
        standing, wanted = self.library.model(), self.embedder.spec
        if standing is not None and standing.sha256 != wanted.sha256:
            say(f"{wanted.label} takes the place of {standing.label}; names and corrections stay")
        with progress("finding faces") as bar:
            done = self.library.refresh(
                self.photos, self.detector, self.embedder, rule=self.rule, look=look, old_model=old_model,
                drop_old=drop_old, workers=self.workers, write_page=write_page,
                progress=lambda stage, n, total: bar(n, total or None, DOING[stage]),
            )  # fmt: skip
        _tell(done, verified=look.verify)
        return done

    def follow(self, told: Iterable[Unreadable]) -> None:
        """Until Ctrl-C; of the photos that cannot be read, or only in part, these were told before."""
        say(f"following {self.photos}; Ctrl-C ends")
        known = set(told)
        try:
            for done in self.library.watch(
                self.photos, self.detector, self.embedder, stop=Event(), rule=self.rule,
                look=Look(every_s=self.every_s), workers=self.workers,
                write_page=write_page, on_trouble=warn,
            ):  # fmt: skip
                amiss = {*done.scan.unreadable, *done.scan.partial}
                _warn_of(sorted(amiss - known, key=lambda file: file.photo))
                known = amiss
                if done.scan.has_changes:
                    say(f"{datetime.now():%H:%M:%S} {_changes(done.scan)}: {_counts(done.people)}")
        except KeyboardInterrupt:
            say("stopped following; the library is up to date with what was read")


def is_nothing(photos: Path, library: Path) -> bool:
    """Neither photos nor a library that may know of some; pictures that are not read are told."""
    if (library / CATALOGUE).exists():
        return False
    found = list_photos(photos, videos=True)
    if not found.photos:
        _warn_of(found.unreadable)
    return not found.photos


def _tell(done: Refreshed, *, verified: bool) -> None:
    scan, moved = done.scan, done.upgrade
    _warn_of((*scan.unreadable, *scan.partial))
    if scan.n_absent:
        warn(
            f"{counted(scan.n_absent, 'photo')} of a disk or folder that is not there stay in the library; "
            "--drop-missing lets go of them"
        )
    if verified:
        changed = f"{len(scan.altered)} changed behind an unchanged time, read again: "
        say(
            f"compared the content of {counted(scan.n_photos, 'photo')}: "
            + (changed + ", ".join(scan.altered) if scan.altered else "as it was")
        )
    for missing in moved.not_at_hand if moved else ():
        warn(f"{missing.photo}: keeps the old model's template: {missing.reason}")
    if moved and moved.before != moved.after:
        say(moved.line())


def _warn_of(photos: Iterable[Unreadable]) -> None:
    for unreadable in photos:
        warn(f"{unreadable.photo}: {unreadable.reason}")


def _changes(result: ScanResult) -> str:
    return f"{result.n_new} read, {result.n_moved} moved, {result.n_removed} gone"


def _counts(found: People) -> str:
    return f"{counted(len(found.seen_again), 'person', 'people')} in {counted(found.n_photos, 'photo')}"
