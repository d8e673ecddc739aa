"""The main job of a library: scan, group, move to another model, page; once, or whenever the folder has changed."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TypedDict

from facespace.extract import FaceEmbedder
from facespace.images import stamp_photos
from facespace.library.catalogue import Catalogue
from facespace.library.differences import Look
from facespace.library.files import note_page, page_is_current, page_key, tidy
from facespace.library.grouping import Rule, keep_groups, last_rule
from facespace.library.people import People, group_people
from facespace.library.progress import OnProgress
from facespace.library.scan import ScanningDetector, ScanResult, scan_files
from facespace.library.upgrading import Upgrade, library_model, reading_embedder, upgrade
from facespace.library.upgrading import drop_old as drop_old_templates

__all__ = ["HowToWork", "Refreshed", "Regroup", "refresh", "regroup"]


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
    detector: ScanningDetector,
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
