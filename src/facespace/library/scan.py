"""Bring a library up to date with its folder of photos: only new and changed photos cost."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

from facespace.errors import ModelError
from facespace.extract import FaceDetector, FaceEmbedder, PhotoFaces, extract_photos
from facespace.images import StampedFiles, Unreadable, read_exif, read_tiff_size, stamp_photos
from facespace.library.differences import QUICK, Differences, Look, compare
from facespace.library.library import Library
from facespace.library.scan_progress import keep_progress
from facespace.models import ModelSpec
from facespace.store import path_out

__all__ = ["ScanResult", "ScanningDetector", "scan", "scan_files"]


@dataclass(frozen=True)
class ScanResult:
    """What a scan did.

    Attributes:
        n_photos: photos in the folder.
        n_new: photos that were read, new or changed.
        n_unchanged: photos that cost nothing.
        n_removed: photos that are gone from the folder and now from the library.
        unreadable: photos and folders that could not be read, with the reason; path relative to the folder.
        n_moved: of the unchanged, those that stand elsewhere now or were only touched.
        altered: paths of the photos whose content had changed behind an unchanged stamp; only ``verify`` finds them.
        n_absent: missing photos that stay known, since no other photo of their disk is there (it may not be mounted)
            or their folder cannot be opened.
    """

    n_photos: int
    n_new: int
    n_unchanged: int
    n_removed: int
    unreadable: tuple[Unreadable, ...]
    n_moved: int = 0
    altered: tuple[str, ...] = ()
    n_absent: int = 0

    @property
    def has_changes(self) -> bool:
        """Whether the library is another one than before."""
        return bool(self.n_new or self.n_removed or self.n_moved)


class ScanningDetector(FaceDetector, Protocol):
    """A detector that can name itself."""

    spec: ModelSpec


def scan(
    library: Library,
    photos: Path,
    detector: ScanningDetector,
    embedder: FaceEmbedder,
    *,
    verify: bool = False,
    detect_anew: bool = False,
    drop_missing: bool = False,
    workers: int | None = None,
    on_photo: Callable[[int, int], None] | None = None,
    on_look: Callable[[int, int], None] | None = None,
    stop: Event | None = None,
) -> ScanResult:
    """Find the faces of all new and changed photos below ``photos`` and keep them.

    Device, inode, size and time of change tell a photo that is unchanged; one that has moved or was only
    touched is known by its content. Each photo is committed by itself: a run that is stopped loses at most the
    photos in flight, and the next run goes on. Photos that other models have read stay as they are
    (`facespace.library.upgrade` brings them to another embedder), and so do missing ones of a disk that shows no other.

    Args:
        library: where the faces are kept.
        photos: the folder.
        detector: finds the faces.
        embedder: embeds them; must have a byte form.
        verify: hash all photos, those with an unchanged stamp too, and try unreadable ones again.
        detect_anew: read photos again that another detector has read.
        drop_missing: let go of missing photos also where nothing tells that their disk is there.
        workers: threads; all cores when absent.
        on_photo: called with (photos done, photos to do) after each new photo.
        on_look: called with (files hashed, files to hash).
        stop: once it is set, no further photo is begun; the next scan goes on.

    Raises:
        DataError: no such folder, or it shows none of the photos that the library knows.
        ModelError: the embedder has no byte form.
        LibraryError: the library cannot be written.
    """
    found = stamp_photos(photos)
    look = Look(verify, detector.spec.sha256 if detect_anew else None, drop_missing)
    return scan_files(
        library, photos, found, detector, embedder, look=look, workers=workers, on_photo=on_photo, on_look=on_look,
        stop=stop,
    )  # fmt: skip


def scan_files(
    library: Library,
    photos: Path,
    found: StampedFiles,
    detector: ScanningDetector,
    embedder: FaceEmbedder,
    *,
    look: Look = QUICK,
    workers: int | None = None,
    on_photo: Callable[[int, int], None] | None = None,
    on_look: Callable[[int, int], None] | None = None,
    stop: Event | None = None,
) -> ScanResult:
    """As `scan`, of a folder that has been looked through."""
    if not embedder.spec.byte_scale > 0:
        raise ModelError(f"{embedder.spec.label}: expected a model with a byte form, its byte_scale is 0")
    with keep_progress(library) as progress:
        work = compare(library, photos, found, look, workers=workers, on_look=_both(progress.look, on_look))
        _put_right(library, photos, work)
        library.add_model(detector.spec)
        library.add_model(embedder.spec)
        n_read, say = 0, _both(progress, on_photo)
        for n_read, (path, item) in enumerate(_extract(photos, work, detector, embedder, workers), 1):
            if isinstance(item, PhotoFaces):
                library.add_faces(
                    item, path, work.todo[path], detector=detector.spec.sha256, embedder=embedder.spec
                )
            else:
                library.add_unreadable(item, path, work.todo[path])
            say(n_read, len(work.todo))
            if stop is not None and stop.is_set():
                break
    return ScanResult(
        len(found.stamps), n_read, len(found.stamps) - len(work.todo), len(work.gone),
        (*_unreadable(library), *found.unreadable), len(work.moves), work.altered, work.n_absent,
    )  # fmt: skip


def _put_right(library: Library, root: Path, work: Differences) -> None:
    """All that needs no reading of pictures."""
    library.set_photo_folder(root)
    library.remove_photos([photo.photo_id for photo in work.gone])
    library.move_photos([(m.photo.photo_id, m.photo.sha256, m.path, m.stamp) for m in work.moves])
    before_exif = library.catalogue.execute(
        "SELECT photo_id, path FROM photos WHERE path IS NOT NULL AND orientation IS NULL AND unreadable IS NULL"
    ).fetchall()
    if before_exif:  # photos from before the catalogue kept what files say of themselves
        library.add_exif([(number, read_exif(root / path_out(path))) for number, path in before_exif])
    _mend_sizes(library, root)


def _mend_sizes(library: Library, root: Path) -> None:
    """Width and height of TIFF files stored sideways, which earlier versions exchanged."""
    sideways = library.catalogue.execute(
        "SELECT photo_id, path, height, width FROM photos WHERE orientation > 4 AND unreadable IS NULL"
        " AND (lower(CAST(path AS TEXT)) LIKE '%.tif' OR lower(CAST(path AS TEXT)) LIKE '%.tiff')"
    ).fetchall()
    sizes = [(read_tiff_size(root / path_out(path)), hw, number) for number, path, *hw in sideways]
    wrong = [(*found, number) for found, hw, number in sizes if found and list(found) == hw[::-1] != hw]
    if wrong:
        with library.transaction() as catalogue:
            catalogue.executemany("UPDATE photos SET height = ?, width = ? WHERE photo_id = ?", wrong)


def _extract(
    root: Path, work: Differences, detector: FaceDetector, embedder: FaceEmbedder, workers: int | None
) -> Iterator[tuple[str, PhotoFaces | Unreadable]]:
    """Each path with what is found there, in order."""
    if work.todo:  # else no thread is started
        files = [root / path for path in work.todo]
        yield from zip(work.todo, extract_photos(files, detector, embedder, workers=workers), strict=True)


def _both(
    first: Callable[[int, int], None], second: Callable[[int, int], None] | None
) -> Callable[[int, int], None]:
    def call(done: int, total: int) -> None:
        first(done, total)
        if second:
            second(done, total)

    return call


def _unreadable(library: Library) -> list[Unreadable]:
    rows = library.catalogue.execute(
        "SELECT path, unreadable FROM photos WHERE path IS NOT NULL AND unreadable IS NOT NULL ORDER BY path"
    )
    return [Unreadable(Path(path_out(path)), reason) for path, reason in rows]
