"""A photo library: a folder of photos, beside it the catalogue of the faces found there, with names and corrections."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self, Unpack

import numpy as np
from numpy.typing import NDArray

from facespace.errors import LibraryError
from facespace.extract import FaceEmbedder, NamedDetector
from facespace.library.browse import Browse
from facespace.library.catalogue import Catalogue, StoredPhoto
from facespace.library.checking import Checked, check
from facespace.library.corrections import Correcting, FaceRef, PersonRef
from facespace.library.differences import QUICK, Look, Motion, motion_of
from facespace.library.exchange.files import ExportOptions, FolderOptions, ImportOptions, Written
from facespace.library.exchange.folders import sort_into_folders
from facespace.library.exchange.importing import Imported, import_names
from facespace.library.exchange.sidecars import write_copies, write_sidecars
from facespace.library.exchange.tables import export_people
from facespace.library.forget import Forgotten, forget
from facespace.library.grouping import Rule, last_rule
from facespace.library.history import Undoing
from facespace.library.people import People, group_people
from facespace.library.progress import OnProgress, ScanProgress, read_progress
from facespace.library.refresh import QUIET_S, HowToWork, Refreshed, Regroup, follow, refresh, regroup
from facespace.library.scan import Scan, ScanResult
from facespace.library.similar import (
    NEAREST,
    Similar,
    SimilarPerson,
    search_face,
    search_similar,
    similar_people,
)
from facespace.library.upgrading import Upgrade, drop_old, library_model, reading_embedder, upgrade
from facespace.models import ModelSpec
from facespace.store import TemplateStore


class Library(Correcting, Undoing):
    """An open library; use it in a `with` block, in one thread.

    Persons are named by number or name, faces by `photo#k` or id (`facespace.library.faces`). Every correction is
    one transaction with one entry in the history. It raises CorrectionError where it names nobody and nothing of the
    library, or contradicts an earlier correction (naming both), InputError for a name that cannot be one, and
    LibraryError where the file cannot be written; then nothing is changed. It returns its entry, or None where there
    was nothing to change.

    Args:
        folder: holds the catalogue and the page; made, for its owner alone, if absent.
        create: False makes an absent library an error.

    Raises:
        LibraryError: the folder or its catalogue cannot be opened, or is another program's.
    """

    def __init__(self, folder: Path | str, *, create: bool = True) -> None:
        self._catalogue = Catalogue(folder, create=create)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._catalogue.close(error)

    def close(self) -> None:
        """Close the library's file."""
        self._catalogue.close()

    # What is there.

    @property
    def folder(self) -> Path:
        """Of the catalogue and the page."""
        return self._catalogue.folder

    @property
    def photo_folder(self) -> Path | None:
        """Where the photos stood at the last scan; None before the first."""
        return self._catalogue.photo_folder

    @property
    def templates(self) -> TemplateStore:
        """The templates of all faces."""
        return self._catalogue.templates

    @property
    def browse(self) -> Browse:
        """The people, faces and photos, to look at a screenful at a time."""
        return Browse(self._catalogue)

    def photos(self) -> list[StoredPhoto]:
        """All photos that are there, by path."""
        return self._catalogue.photos()

    def thumbnail(self, face_id: int) -> bytes:
        """The thumbnail of a face as JPEG, empty where its photo is gone; LibraryError where there is no such face."""
        return self._catalogue.thumbnail(face_id)

    def motion(self, photo_id: int) -> Motion | None:
        """The film of a photo's moment: of a motion photo in its own file, of a live photo in one beside it."""
        return motion_of(self._catalogue, photo_id)

    def model(self) -> ModelSpec | None:
        """The model that the library stands on: its faces are grouped and searched by the templates of that model."""
        return library_model(self._catalogue)

    def last_rule(self) -> Rule:
        """The rule that the groups came from; the default one where nothing has been grouped."""
        return last_rule(self._catalogue)

    def scan_progress(self) -> ScanProgress | None:
        """How far the last scan is or was, in whichever process; None before the first."""
        return read_progress(self._catalogue)

    def moment(self) -> tuple[int, int]:
        """Changes whenever this or another process writes."""
        return self._catalogue.moment()

    def check(self) -> Checked:
        """Whether the file and the pictures beside it are whole; see `facespace.library.checking`."""
        return check(self._catalogue)

    def backup(self, path: Path) -> None:
        """Copy the library's file as it is at this moment; see `facespace.store.Database.backup`."""
        self._catalogue.backup(path)

    # The jobs.

    def refresh(
        self,
        photos: Path,
        detector: NamedDetector,
        embedder: FaceEmbedder,
        *,
        rule: Rule | None = None,
        look: Look = QUICK,
        old_model: str | Path | None = None,
        drop_old: bool = False,
        workers: int | None = None,
        write_page: "PageWriter | None" = None,
        progress: OnProgress | None = None,
        stop: Event | None = None,
    ) -> Refreshed:
        """Bring the library up to date: scan, group, move to the embedder's model, page. The whole of the main job.

        New photos are read by the library's model where its file is at hand (`reading_embedder`). Groups and page are
        brought up to date before the move to another model, which may take long, and again after it.

        Args:
            photos: their folder.
            detector: finds the faces.
            embedder: of the model that is wanted; must have a byte form.
            rule: how near faces must lie to be put together; that of the last groups unless given.
            look: how closely the folder is compared with the library, and videos are looked at.
            old_model: name or file of the library's model, where it is neither built in nor among the user's.
            drop_old: delete the old model's templates, for good, once all faces have new ones.
            workers: threads; all cores when absent.
            write_page: called with this library, its people and the folder wherever the page is not up to date.
            progress: called with (stage, done, in all).
            stop: once it is set, in whatever thread, the job ends within a photo's time; the same call resumes it.

        Raises:
            DataError: no such folder, or it shows none of the photos that the library knows.
            ModelError: a model has no byte form or is not calibrated, or ``old_model`` is not the library's.
            LibraryError: the library cannot be written.
        """
        scan = Scan(self._catalogue, photos, detector, embedder, look, workers, progress, stop)
        return refresh(self._regroup(scan, rule, write_page), old_model=old_model, drop_old=drop_old)

    def watch(
        self,
        photos: Path,
        detector: NamedDetector,
        embedder: FaceEmbedder,
        *,
        stop: Event,
        rule: Rule | None = None,
        look: Look = QUICK,
        workers: int | None = None,
        quiet_s: float = QUIET_S,
        write_page: "PageWriter | None" = None,
        progress: OnProgress | None = None,
        on_trouble: Callable[[str], None] | None = None,
    ) -> Iterator[Refreshed]:
        """Follow the folder: scan and group whenever it has changed, and yield what came of it.

        Files that were changed, written or removed a moment ago are left for a later look, the others are taken in. A
        result without changes is yielded where another process has changed the library; while another process scans,
        this one waits. A folder that is not there, or shows none of the known photos (a disk that was unplugged), is
        waited for.

        Args:
            photos: as of `refresh`, and all others of the same names.
            detector: likewise.
            embedder: likewise.
            stop: once it is set, in whatever thread, the iteration ends within a photo's time.
            quiet_s: seconds for which a file must not have changed.
            on_trouble: called with one line when the folder cannot be looked at, once for each reason.

        Raises:
            LibraryError: the library cannot be written.
        """
        scan = Scan(self._catalogue, photos, detector, embedder, look, workers, progress, stop)
        bring_up = self._regroup(scan, rule, write_page)
        for result in follow(scan, stop, quiet_s=quiet_s, on_trouble=on_trouble):
            yield bring_up(result)

    def scan(
        self,
        photos: Path,
        detector: NamedDetector,
        embedder: FaceEmbedder,
        *,
        look: Look = QUICK,
        **how: Unpack[HowToWork],
    ) -> ScanResult:
        """Find the faces of all new and changed photos below ``photos`` and keep them; a part of `refresh`.

        Device, inode, size and time of change tell a photo that is unchanged; one that has moved or was only
        touched is known by its content. Each photo is committed by itself: a run that is stopped loses at most the
        photos in flight, and the next run resumes. Photos that other models have read stay as they are, and so do
        missing ones of a disk that shows no other. Arguments and errors as of `refresh`.
        """
        return Scan(self._catalogue, photos, detector, embedder, look, **how).run()

    def group(self, spec: ModelSpec | None = None, *, rule: Rule | None = None) -> People:
        """Group all faces, two faces of one photo apart, and keep the groups as suggestions.

        All names and corrections hold. A group that is not confirmed takes the number of the person who had most of its
        faces before.

        Args:
            spec: of the embedder; that of the library unless given.
            rule: that of the last groups unless given.

        Raises:
            InputError: a rate or number that is not positive.
            ModelError: the model is not calibrated, or not the one that the library stands on.
            LibraryError: nothing has been scanned yet, or the library cannot be written.
        """
        wanted = spec or self.model()
        if wanted is None:
            raise LibraryError(f"{self.folder}: expected a library with photos; scan a folder first")
        return group_people(self._catalogue, wanted, rule)

    def regroup(self) -> bool:
        """Work the suggestions out again by the rule of the last groups; whether they came out otherwise.

        Errors as of `group`.
        """
        return regroup(self._catalogue)

    def upgrade(
        self,
        photos: Path,
        embedder: FaceEmbedder,
        *,
        rule: Rule | None = None,
        **how: Unpack[HowToWork],
    ) -> Upgrade:
        """Move to the embedder's model; a part of `refresh`. See `facespace.library.upgrading.upgrade`."""
        return upgrade(self._catalogue, photos, embedder, rule=rule, **how)

    def drop_old(self) -> dict[str, int]:
        """Drop the templates of former models, for good; see `facespace.library.upgrading.drop_old`."""
        return drop_old(self._catalogue)

    def reading_embedder(self, embedder: FaceEmbedder, *, old: str | Path | None = None) -> FaceEmbedder:
        """The embedder by which new photos are read; see `facespace.library.upgrading.reading_embedder`."""
        return reading_embedder(self._catalogue, embedder, old=old)

    def _regroup(self, scan: Scan, rule: Rule | None, write_page: "PageWriter | None") -> Regroup:
        return Regroup(scan, rule, partial(write_page, self) if write_page else None)

    def forget(self, person: PersonRef) -> Forgotten:
        """Remove a person for good; see `facespace.library.forget`. This cannot be undone."""
        return forget(self._catalogue, person)

    # Names come in and leave; see the functions of these names in `facespace.library.exchange`.

    def import_names(self, **options: Unpack[ImportOptions]) -> Imported:
        """Take over the names that other programs gave to faces: one entry of the history."""
        return import_names(self._catalogue, **options)

    def export_people(self, file: Path, *, formulas: str = "names") -> int:
        """Write the faces and people as they stand to a CSV or JSON file; returns the number of faces."""
        return export_people(self._catalogue, file, formulas=formulas)

    def write_sidecars(self, to: Path | None = None, **options: Unpack[ExportOptions]) -> Written:
        """Write names and regions to XMP sidecars, beside the photos or into a folder that mirrors theirs."""
        return write_sidecars(self._catalogue, to, **options)

    def write_copies(self, to: Path, **options: Unpack[ExportOptions]) -> Written:
        """Copy the photos of people with names, the names inside the copies."""
        return write_copies(self._catalogue, to, **options)

    def sort_into_folders(self, to: Path, **options: Unpack[FolderOptions]) -> Written:
        """Put the photos of each person into a folder of the person's name."""
        return sort_into_folders(self._catalogue, to, **options)

    # Search.

    def search(
        self, probes: NDArray[np.float32], spec: ModelSpec, *, k: int = NEAREST
    ) -> list[list[Similar]]:
        """The faces nearest to each probe; see `facespace.library.similar.search_similar`."""
        return search_similar(self._catalogue, probes, spec, k=k)

    def search_face(self, face: FaceRef, *, k: int = NEAREST) -> list[Similar]:
        """The faces nearest to a face of the library; see `facespace.library.similar.search_face`."""
        return search_face(self._catalogue, face, k=k)

    def similar_people(self, person: int, *, k: int = 6) -> list[SimilarPerson]:
        """The people who look most like a person; see `facespace.library.similar.similar_people`."""
        return similar_people(self._catalogue, person, k=k)


# Makes the page of a library: given the library, its people, and the folder of the photos.
PageWriter = Callable[[Library, People, Path], object]
