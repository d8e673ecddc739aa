"""Bring a library up to date with its folder of photos: only new and changed photos cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from facespace.errors import ImageError, ModelError
from facespace.extract import (
    FaceDetector,
    FaceEmbedder,
    NamedDetector,
    extract_photo,
    extract_video,
    in_order,
)
from facespace.images import StampedFiles, Unreadable, Video, is_video, unread_videos
from facespace.library.catalogue import Catalogue
from facespace.library.differences import QUICK, Differences, Look, compare, without_films
from facespace.library.photos import (
    Found,
    add_faces,
    add_unreadable,
    check_exif,
    move_photos,
    partial_photos,
    remove_photos,
    thumbnails_of,
    unreadable_photos,
)
from facespace.library.progress import OnProgress, keep_progress
from facespace.models import ModelSpec


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
        partial: photos that were read as far as they go, with what is missing of them.
    """

    n_photos: int
    n_new: int
    n_unchanged: int
    n_removed: int
    unreadable: tuple[Unreadable, ...]
    n_moved: int = 0
    altered: tuple[str, ...] = ()
    n_absent: int = 0
    partial: tuple[Unreadable, ...] = ()

    @property
    def has_changes(self) -> bool:
        """Whether the library is another one than before."""
        return bool(self.n_new or self.n_removed or self.n_moved)


@dataclass(frozen=True)
class _Read:
    """A photo or video as it is handed over: its faces with their thumbnails as JPEG, or why it cannot be read."""

    path: str
    found: Found | Unreadable
    thumbnails: list[bytes]


def scan_files(
    catalogue: Catalogue,
    photos: Path,
    files: StampedFiles,
    detector: NamedDetector,
    embedder: FaceEmbedder,
    *,
    look: Look = QUICK,
    workers: int | None = None,
    progress: OnProgress | None = None,
    stop: Event | None = None,
) -> ScanResult:
    """Find the faces of all new and changed photos and videos of a folder that has been looked through, and keep them.

    See `facespace.library.Library.scan`.
    """
    if not embedder.spec.byte_scale > 0:
        raise ModelError(f"{embedder.spec.label}: expected a model with a byte form, its byte_scale is 0")
    with keep_progress(catalogue, progress) as tell:
        tell("comparing", 0, 0)
        files = without_films(catalogue, photos, files)
        check_exif(catalogue, photos)
        work = compare(catalogue, photos, files, look, workers=workers, progress=tell)
        _put_right(catalogue, photos, work)
        catalogue.templates.add_model(detector.spec)
        catalogue.templates.add_model(embedder.spec)
        n_read, unread = 0, unread_videos(work.todo)
        paths = [path for path in work.todo if not is_video(path)]
        for n_read, read in enumerate(_read_photos(photos, paths, detector, embedder, workers), 1):
            _keep(catalogue, read, work, detector.spec, embedder.spec)
            tell("reading", n_read, len(paths))
            if stop is not None and stop.is_set():
                break
        else:
            videos = [] if unread else [path for path in work.todo if is_video(path)]
            for read in _read_videos(photos, videos, detector, embedder, look.every_s, workers, tell, stop):
                _keep(catalogue, read, work, detector.spec, embedder.spec)
                n_read += 1
    return ScanResult(
        len(files.stamps), n_read, len(files.stamps) - len(work.todo), len(work.gone),
        (*unreadable_photos(catalogue), *files.unreadable, *unread), len(work.moves), work.altered, work.n_absent,
        partial_photos(catalogue),
    )  # fmt: skip


def _put_right(catalogue: Catalogue, root: Path, work: Differences) -> None:
    """All that needs no reading of pictures."""
    catalogue.set_photo_folder(root)
    remove_photos(catalogue, [photo.photo_id for photo in work.gone])
    move_photos(catalogue, [(m.photo.photo_id, m.photo.sha256, m.path, m.stamp) for m in work.moves])


def _read_photos(
    root: Path, paths: list[str], detector: FaceDetector, embedder: FaceEmbedder, workers: int | None
) -> Iterator[_Read]:
    """Each new or changed photo with what is found there, in order."""

    def read(path: str) -> _Read:
        found = extract_photo(root / path, detector, embedder)
        return _Read(path, found, [] if isinstance(found, Unreadable) else thumbnails_of(found))

    if paths:  # else no thread is started
        yield from in_order(read, paths, workers=workers)


def _read_videos(
    root: Path,
    paths: list[str],
    detector: FaceDetector,
    embedder: FaceEmbedder,
    every_s: float,
    workers: int | None,
    tell: OnProgress,
    stop: Event | None,
) -> Iterator[_Read]:
    """Each new or changed video with its tracks, one at a time on all cores; progress is in seconds of video."""
    lengths = list(in_order(lambda path: _length_s(root / path), paths, workers=workers)) if paths else []
    todo, done = sum(lengths), 0.0

    def on_time(time_s: float, _: float | None) -> None:
        if stop is not None and stop.is_set():
            raise _StoppedError
        tell("videos", int(done + min(time_s, length)), max(int(todo), 1))

    for path, length in zip(paths, lengths, strict=True):
        try:
            found: Found | Unreadable = extract_video(
                root / path, detector, embedder, every_s=every_s, workers=workers, on_time=on_time
            )
        except ImageError as error:
            found = Unreadable(root / path, error.reason)
        except _StoppedError:
            return
        done += length
        yield _Read(path, found, [] if isinstance(found, Unreadable) else thumbnails_of(found))
        tell("videos", int(done), max(int(todo), 1))


class _StoppedError(Exception):
    """The scan is to end before the video does."""


def _length_s(path: Path) -> float:
    """Of a video, as its header says; 0 where it does not."""
    try:
        with Video(path, threads=1) as video:
            return video.duration_s or 0.0
    except ImageError:
        return 0.0


def _keep(
    catalogue: Catalogue, read: _Read, work: Differences, detector: ModelSpec, embedder: ModelSpec
) -> None:
    """Put a photo into the catalogue; one whose values have no place there counts as one that cannot be read."""
    path, stamp = read.path, work.todo[read.path]
    try:
        if isinstance(read.found, Unreadable):
            raise ImageError(path, read.found.reason)
        add_faces(
            catalogue, read.found, path, stamp, detector=detector.sha256, embedder=embedder, thumbnails=read.thumbnails
        )  # fmt: skip
    except ImageError as error:
        add_unreadable(catalogue, path, stamp, error.reason)
