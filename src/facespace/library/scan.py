"""Bring a library up to date with its folder of photos: only new and changed photos cost."""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from facespace.errors import ImageError, ModelError
from facespace.extract import FaceDetector, FaceEmbedder, PhotoFaces, extract_photos
from facespace.images import Unreadable, list_photos, read_bytes, read_exif
from facespace.library.catalogue import StoredPhoto
from facespace.library.library import Library
from facespace.models import ModelSpec

__all__ = ["ScanResult", "scan"]

Stamp = tuple[int, int, int, int]


@dataclass(frozen=True)
class ScanResult:
    """What a scan did.

    Attributes:
        n_photos: photos in the folder.
        n_new: photos that were read, new or changed.
        n_unchanged: photos that cost nothing.
        n_removed: photos that are gone from the folder and now from the library.
        unreadable: photos and folders that could not be read, with the reason; path relative to the folder.
    """

    n_photos: int
    n_new: int
    n_unchanged: int
    n_removed: int
    unreadable: tuple[Unreadable, ...]


class ScanningDetector(FaceDetector, Protocol):
    """A detector that can name itself."""

    spec: ModelSpec


def scan(
    library: Library,
    photos: Path,
    detector: ScanningDetector,
    embedder: FaceEmbedder,
    *,
    workers: int | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> ScanResult:
    """Find the faces of all new and changed photos below ``photos`` and keep them.

    Device, inode, size and time of change tell a photo that is unchanged; one that has moved or was only
    touched is known by its content. Each photo is committed by itself: a run that is stopped loses at most the
    photos in flight, and the next run goes on.

    Args:
        library: where the faces are kept.
        photos: the folder.
        detector: finds the faces.
        embedder: embeds them; must have a byte form.
        workers: threads; all cores when absent.
        on_photo: called with (photos done, photos to do) after each new photo.

    Raises:
        DataError: no such folder.
        ModelError: the embedder has no byte form.
        LibraryError: the library cannot be written.
    """
    if not embedder.spec.byte_scale > 0:
        raise ModelError(f"{embedder.spec.label}: expected a model with a byte form, its byte_scale is 0")
    listing = list_photos(photos)
    library.set_photo_folder(photos)
    library.add_model(detector.spec)
    library.add_model(embedder.spec)
    work = _plan(library, photos, listing.photos, (detector.spec.sha256, embedder.spec.sha256))
    library.remove_photos(work.gone)
    _read_exif(library, photos)
    todo = [photos / path for path in work.todo]
    for done, found in enumerate(_extract(todo, detector, embedder, workers), 1):
        path = os.path.relpath(found.photo, photos)
        if isinstance(found, PhotoFaces):
            library.add_faces(
                found, path, work.todo[path], detector=detector.spec.sha256, embedder=embedder.spec
            )
        else:
            library.add_unreadable(found, path, work.todo[path])
        if on_photo:
            on_photo(done, len(todo))
    return ScanResult(
        len(listing.photos), len(todo), len(listing.photos) - len(todo), len(work.gone),
        _unreadable(library, photos, listing.unreadable),
    )  # fmt: skip


def _read_exif(library: Library, root: Path) -> None:
    """Of photos from before the catalogue kept it; a photo that is read anyway brings its own."""
    new = [photo for photo in library.photos() if photo.orientation is None and photo.unreadable is None]
    if new:
        library.add_exif([(photo.photo_id, read_exif(root / photo.path)) for photo in new])


@dataclass(frozen=True)
class _Work:
    todo: dict[str, Stamp]
    gone: list[int]


def _plan(library: Library, root: Path, found: tuple[Path, ...], models: tuple[str, str]) -> _Work:
    """Which photos to read and which to forget; moved and touched ones are put right on the way."""
    known = {photo.path: photo for photo in library.photos()}
    stamps = {os.path.relpath(path, root): _stamp(path) for path in found}
    changed = {
        path: stamp
        for path, stamp in stamps.items()
        if path not in known or known[path].stamp != stamp or not _is_current(known[path], models)
    }
    gone = {path: photo for path, photo in known.items() if path not in stamps}
    by_content = {
        photo.sha256: photo
        for photo in [*(known[path] for path in changed if path in known), *gone.values()]
        if photo.sha256 and _is_current(photo, models)
    }
    for path in list(changed) if by_content else []:
        digest = _sha256(root / path)
        photo = by_content.get(digest)
        if photo is not None and (photo.path == path or photo.path in gone):
            library.move_photo(photo.photo_id, path, changed.pop(path))
            gone.pop(photo.path, None)
            del by_content[digest]
    return _Work(changed, [photo.photo_id for photo in gone.values()])


def _is_current(photo: StoredPhoto, models: tuple[str, str]) -> bool:
    return photo.unreadable is not None or (photo.detector, photo.embedder) == models


def _extract(
    photos: list[Path], detector: FaceDetector, embedder: FaceEmbedder, workers: int | None
) -> Iterator[PhotoFaces | Unreadable]:
    if photos:
        yield from extract_photos(photos, detector, embedder, workers=workers)


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0, 0)
    # SQLite's integers are signed.
    return (status.st_dev & (2**63 - 1), status.st_ino & (2**63 - 1), status.st_size, status.st_mtime_ns)


def _sha256(path: Path) -> str:
    """Of the file's content, in hex; empty where it cannot be read."""
    try:
        return hashlib.sha256(read_bytes(path)).hexdigest()
    except ImageError:
        return ""


def _unreadable(library: Library, root: Path, folders: tuple[Unreadable, ...]) -> tuple[Unreadable, ...]:
    photos = [Unreadable(Path(p.path), p.unreadable) for p in library.photos() if p.unreadable]
    return (*photos, *(Unreadable(Path(os.path.relpath(f.photo, root)), f.reason) for f in folders))
