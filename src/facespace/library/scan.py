"""Bring a library up to date with its folder of photos: only new and changed photos cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from facespace.errors import ImageError, ModelError
from facespace.extract import FaceEmbedder, NamedDetector, extract_photo, extract_video, in_order
from facespace.images import StampedFiles, Unreadable, Video, is_video, stamp_photos, unread_videos
from facespace.library.catalogue import Catalogue
from facespace.library.differences import QUICK, Differences, Look, compare, without_films
from facespace.library.photos import (
    Found,
    add_faces,
    add_unreadable,
    check_exif,
    move_photos,
    remove_photos,
    thumbnails_of,
    unread_photos,
)
from facespace.library.progress import OnProgress, keep_progress


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


# The path of a photo or video, its faces or why it cannot be read, and the thumbnails of the faces as JPEG.
_Read = tuple[str, Found | Unreadable, list[bytes]]


@dataclass(frozen=True)
class Scan:
    """A folder of photos that is read into a library, and how.

    Attributes:
        catalogue: open.
        photos: the folder.
        detector: finds the faces.
        embedder: embeds them; must have a byte form.
        look: how closely the folder is compared with the library, and videos are looked at.
        workers: threads; all cores when None.
        progress: called with (stage, done, in all).
        stop: once it is set, in whatever thread, the scan ends within a photo's time.
    """

    catalogue: Catalogue
    photos: Path
    detector: NamedDetector
    embedder: FaceEmbedder
    look: Look = QUICK
    workers: int | None = None
    progress: OnProgress | None = None
    stop: Event | None = None

    @property
    def is_stopped(self) -> bool:
        """Whether it is to end."""
        return self.stop is not None and self.stop.is_set()

    def run(self, files: StampedFiles | None = None) -> ScanResult:
        """Find the faces of all new and changed photos and videos, and keep them; see `facespace.library.Library.scan`.

        Args:
            files: what lies in the folder; looked for when None.
        """
        if not self.embedder.spec.byte_scale > 0:
            label = self.embedder.spec.label
            raise ModelError(f"{label}: expected a model with a byte form, its byte_scale is 0")
        files = stamp_photos(self.photos, videos=True) if files is None else files
        with keep_progress(self.catalogue, self.progress) as tell:
            tell("comparing", 0, 0)
            files = without_films(self.catalogue, self.photos, files)
            check_exif(self.catalogue, self.photos)
            work = compare(self.catalogue, self.photos, files, self.look, workers=self.workers, progress=tell)
            self._put_right(work)
            n_read, unread = 0, unread_videos(work.todo)
            for read in self._read(list(work.todo), unread, tell):
                self._keep(read, work)
                n_read += 1
        return ScanResult(
            len(files.stamps), n_read, len(files.stamps) - len(work.todo), len(work.gone),
            (*unread_photos(self.catalogue), *files.unreadable, *unread), len(work.moves), work.altered,
            work.n_absent, unread_photos(self.catalogue, "note"),
        )  # fmt: skip

    def _put_right(self, work: Differences) -> None:
        """All that needs no reading of pictures."""
        self.catalogue.set_photo_folder(self.photos)
        remove_photos(self.catalogue, [photo.photo_id for photo in work.gone])
        move_photos(self.catalogue, work.moves)
        self.catalogue.templates.add_model(self.detector.spec)
        self.catalogue.templates.add_model(self.embedder.spec)

    def _read(self, paths: list[str], unread: Sequence[Unreadable], tell: OnProgress) -> Iterator[_Read]:
        """Each new or changed photo with what is found there, in order, then the videos; progress once it is kept."""
        photos = [path for path in paths if not is_video(path)]
        if photos:  # else no thread is started
            for done, read in enumerate(in_order(self._read_photo, photos, workers=self.workers), 1):
                yield read
                tell("reading", done, len(photos))
                if self.is_stopped:
                    return
        yield from self._read_videos([] if unread else [path for path in paths if is_video(path)], tell)

    def _read_photo(self, path: str) -> _Read:
        return _with_thumbnails(path, extract_photo(self.photos / path, self.detector, self.embedder))

    def _read_videos(self, paths: list[str], tell: OnProgress) -> Iterator[_Read]:
        """Each new or changed video with its tracks, one at a time on all cores; progress is in seconds of video."""
        if not paths:
            return
        lengths = list(in_order(lambda path: _length_s(self.photos / path), paths, workers=self.workers))
        todo, done = sum(lengths), 0.0

        def on_time(time_s: float, _: float | None) -> None:
            if self.is_stopped:
                raise _StoppedError
            tell("videos", int(done + min(time_s, length)), max(int(todo), 1))

        for path, length in zip(paths, lengths, strict=True):
            try:
                found: Found | Unreadable = extract_video(
                    self.photos / path, self.detector, self.embedder, every_s=self.look.every_s,
                    workers=self.workers, on_time=on_time,
                )  # fmt: skip
            except ImageError as error:
                found = Unreadable(self.photos / path, error.reason)
            except _StoppedError:
                return
            done += length
            yield _with_thumbnails(path, found)
            tell("videos", int(done), max(int(todo), 1))

    def _keep(self, read: _Read, work: Differences) -> None:
        """Put a photo into the catalogue; one whose values have no place there counts as one that cannot be read."""
        path, found, thumbnails = read
        stamp = work.todo[path]
        try:
            if isinstance(found, Unreadable):
                raise ImageError(path, found.reason)
            add_faces(
                self.catalogue, found, path, stamp, detector=self.detector.spec.sha256, embedder=self.embedder.spec,
                thumbnails=thumbnails,
            )  # fmt: skip
        except ImageError as error:
            add_unreadable(self.catalogue, path, stamp, error.reason)


def _with_thumbnails(path: str, found: Found | Unreadable) -> _Read:
    return path, found, [] if isinstance(found, Unreadable) else thumbnails_of(found)


class _StoppedError(Exception):
    """The scan is to end before the video does."""


def _length_s(path: Path) -> float:
    """Of a video, as its header says; 0 where it does not."""
    try:
        with Video(path, threads=1) as video:
            return video.duration_s or 0.0
    except ImageError:
        return 0.0
