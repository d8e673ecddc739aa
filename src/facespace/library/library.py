"""A photo library: a folder of photos, beside it the catalogue of the faces found there, with names and corrections."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

from facespace.errors import LibraryError
from facespace.extract import FaceEmbedder, NamedDetector
from facespace.library.browse import Browse
from facespace.library.catalogue import Catalogue, StoredPhoto
from facespace.library.checking import Checked, check
from facespace.library.corrections import Correcting
from facespace.library.differences import QUICK, Look, Motion
from facespace.library.exchange import Exchanging
from facespace.library.files import keep_page, page_key, tidy
from facespace.library.following import QUIET_S, follow
from facespace.library.forget import Forgetting
from facespace.library.grouping import Rule, keep_groups, last_rule
from facespace.library.history import Undoing
from facespace.library.people import People, group_people
from facespace.library.progress import OnProgress, ScanProgress, read_progress
from facespace.library.scan import Scan, ScanResult
from facespace.library.similar import Searching
from facespace.library.upgrading import Upgrade, Upgrading
from facespace.models import ModelSpec
from facespace.store import TemplateStore, path_out


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


class Library(Correcting, Undoing, Forgetting, Searching, Upgrading, Exchanging):
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
        """The thumbnail of a face as JPEG; empty where its photo is gone.

        Raises:
            LibraryError: no such face.
        """
        jpeg = self._catalogue.value("SELECT thumbnail FROM faces WHERE face_id = ?", (face_id,))
        if jpeg is None:
            raise LibraryError(
                f"face {face_id}: expected a face of this library, there is none of that number"
            )
        return bytes(jpeg)

    def motion(self, photo_id: int) -> Motion | None:
        """The film of a photo's moment: of a motion photo in its own file, of a live photo in one beside it."""
        row = self._catalogue.row(
            "SELECT path, motion_offset, size_bytes FROM photos WHERE photo_id = ? AND path NOTNULL",
            (photo_id,),
        )
        if row is None:
            return None
        if row["motion_offset"] is not None:
            return Motion(
                path_out(row["path"]), row["motion_offset"], row["size_bytes"] - row["motion_offset"]
            )
        film = self._catalogue.row("SELECT path, size_bytes FROM films WHERE still = ?", (row["path"],))
        return None if film is None else Motion(path_out(film["path"]), 0, film["size_bytes"])

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
        tidy(self.folder)
        reader = self.reading_embedder(embedder, old=old_model)
        scan = Scan(self._catalogue, photos, detector, reader, look, workers, progress, stop)
        bring_up = partial(self._bring_up, photos, embedder.spec, rule, write_page, progress)
        result = scan.run()
        done = bring_up(result)
        self._catalogue.templates.indexes.refresh()
        if scan.is_stopped:
            return done
        before = self.model()
        moved = self.upgrade(photos, embedder, rule=rule, workers=workers, progress=progress, stop=stop)
        if drop_old and moved.is_complete:
            self.drop_old()
        if moved.n_embedded or (before is not None and before.sha256 != embedder.spec.sha256):
            return replace(bring_up(result), upgrade=moved)
        return done

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
        for result in follow(scan, stop, quiet_s=quiet_s, on_trouble=on_trouble):
            yield self._bring_up(photos, embedder.spec, rule, write_page, progress, result)

    def _bring_up(
        self,
        photos: Path,
        spec: ModelSpec,
        rule: Rule | None,
        write_page: "PageWriter | None",
        progress: OnProgress | None,
        result: ScanResult,
    ) -> Refreshed:
        """Groups and page after a scan; ``spec`` is the model of a library that stands on none yet."""
        if progress:
            progress("grouping", 0, 0)
        people = replace(self.group(self.model() or spec, rule=rule), unreadable=result.unreadable)
        if write_page:
            key = page_key(str(photos.resolve()), people.to_json())
            keep_page(self.folder, key, partial(write_page, self, people, photos))
        return Refreshed(result, people)

    def scan(
        self,
        photos: Path,
        detector: NamedDetector,
        embedder: FaceEmbedder,
        *,
        look: Look = QUICK,
        workers: int | None = None,
        progress: OnProgress | None = None,
        stop: Event | None = None,
    ) -> ScanResult:
        """Find the faces of all new and changed photos below ``photos`` and keep them; a part of `refresh`.

        Device, inode, size and time of change tell a photo that is unchanged; one that has moved or was only
        touched is known by its content. Each photo is committed by itself: a run that is stopped loses at most the
        photos in flight, and the next run resumes. Photos that other models have read stay as they are, and so do
        missing ones of a disk that shows no other. Arguments and errors as of `refresh`.
        """
        return Scan(self._catalogue, photos, detector, embedder, look, workers, progress, stop).run()

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
        spec = self.model()
        if spec is None:
            return False
        before = self._assignments()
        keep_groups(self._catalogue, spec, self.last_rule())
        return self._assignments() != before

    def _assignments(self) -> list[tuple[int, ...]]:
        return [tuple(row) for row in self._catalogue.stream("SELECT face_id, person_id FROM assignments")]


# Makes the page of a library: given the library, its people, and the folder of the photos.
PageWriter = Callable[[Library, People, Path], object]
