"""Photos or ready crops to a FaceTable on disk; a second run costs only what is not in it yet."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError, ImageError
from facespace.extract.photos import (
    CROPS_PER_BATCH,
    FaceDetector,
    FaceEmbedder,
    NamedDetector,
    extract_crops,
)
from facespace.extract.videos import extract_file, extract_files, file_hash, table_of
from facespace.faces.quality import face_quality
from facespace.images import Unreadable, list_photos, read_bytes
from facespace.images.addresses import Address
from facespace.table import UNKNOWN, FaceTable, FaceTableWriter, face_id
from facespace.workers import Workers, as_workers, in_order

# A shard grows with the job, so that the manifest stays short.
PHOTOS_PER_SHARD, MANY_SHARDS, MAX_PHOTOS_PER_SHARD = 500, 1000, 50_000
READY_CROPS = ""  # in place of a detector
Crop = tuple[Path, str, NDArray[np.uint8]]
THREADS_PER_VIDEO = 2  # where several are read at a time


@dataclass(frozen=True)
class EmbedResult:
    """What went into a table.

    Attributes:
        n_faces: faces in the table now.
        n_photos: photos in the table now.
        n_new: photos that this run read.
        n_left: photos that left the table, since they are gone or were replaced.
        unreadable: photos that could not be read.
        partial: photos that were read as far as they go, with what is missing of them.
    """

    n_faces: int
    n_photos: int
    n_new: int
    n_left: int
    unreadable: tuple[Unreadable, ...]
    partial: tuple[Unreadable, ...] = ()


def embed_photos(
    paths: Sequence[Path],
    output: Path,
    detector: NamedDetector | None,
    embedder: FaceEmbedder,
    *,
    workers: int | Workers | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> EmbedResult:
    """Embed all faces of photos and videos, and of those below folders, into the table at ``output``.

    Of a video each track gives its best faces.

    Stopping loses at most the shard in hand; photos whose content the table holds are passed over, and those below
    ``paths`` that are gone or were replaced leave it.

    Args:
        paths: files and folders; on other machines they are read there.
        output: folder of the table, on this machine.
        detector: finds the faces; None where the files are ready crops, whose folders are identities:
            `root/<identity>/<image>`.
        embedder: embeds them.
        workers: who reads and embeds; a number of threads of this machine, all cores when None.
        on_photo: called with (photos done, photos in all).

    Raises:
        DataError: a path that is not there; a folder that shows none of the photos that the table holds of it; another
            run that writes to the table; a table of another model or detector at ``output``.
        WorkersError: the machines that should do it are away.
        WriteError: the disk is full, or does not let us write there.
    """
    photos, unreadable = expand_paths(paths, videos=detector is not None)
    workers, at_once = as_workers(workers), CROPS_PER_BATCH if detector is None else 1
    named = READY_CROPS if detector is None else detector.spec.sha256
    with FaceTableWriter(output, model=embedder.spec.sha256, detector=named) as writer:
        todo, n_left = _put_right(writer, paths, photos, unreadable, workers)
        groups = [todo[i : i + at_once] for i in range(0, len(todo), at_once)]
        n_new, partly = 0, list[Unreadable]()
        work = partial(_read, detector=detector, embedder=embedder)
        with closing(workers.map(work, groups, on_lost=_lost)) as found:
            for reads in _shards(found, len(todo), on_photo):
                unreadable += [one for read in reads for one in read.unreadable]
                partly += [one for read in reads for one in read.partial]
                if tables := [read.table for read in reads if read.table is not None]:
                    writer.append(FaceTable.merge(tables))
                    n_new += sum(len(table.photos) for table in tables)
        return EmbedResult(
            writer.n_faces, len(writer.photos), n_new, n_left, tuple(unreadable), tuple(partly)
        )


@dataclass(frozen=True)
class _Read:
    """What a few photos gave: their faces, where any could be read."""

    n_photos: int
    table: FaceTable | None
    unreadable: tuple[Unreadable, ...] = ()
    partial: tuple[Unreadable, ...] = ()


def _read(photos: list[Path], detector: FaceDetector | None, embedder: FaceEmbedder) -> _Read:
    """One photo or video, or a batch of ready crops."""
    if detector is None:
        return _read_crops(photos, embedder)
    (photo,) = photos
    found = extract_file(photo, detector, embedder, workers=THREADS_PER_VIDEO)
    if isinstance(found, Unreadable):
        return _Read(1, None, (found,))
    partly = (Unreadable(photo, found.note),) if found.note else ()
    return _Read(1, table_of(found, embedder.spec), partial=partly)


def _read_crops(photos: list[Path], embedder: FaceEmbedder) -> _Read:
    found: list[Crop] = []
    unreadable = []
    for photo in photos:
        try:
            found += extract_crops([photo], embedder)
        except ImageError as error:
            unreadable.append(Unreadable(photo, error.reason))
    table = _crop_table(found, embedder) if found else None
    return _Read(len(photos), table, tuple(unreadable))


def _lost(photos: list[Path]) -> _Read:
    reason = "each process that read it died; look at the memory of the machines"
    return _Read(len(photos), None, tuple(Unreadable(photo, reason) for photo in photos))


def _shards(
    reads: Iterator[_Read], total: int, on_photo: Callable[[int, int], None] | None
) -> Iterator[list[_Read]]:
    """What was read, in groups of a shard: many photos make large shards, since each one is named in the manifest."""
    per_shard = min(MAX_PHOTOS_PER_SHARD, max(PHOTOS_PER_SHARD, total // MANY_SHARDS))
    group: list[_Read] = []
    done = last = 0
    for read in reads:
        group.append(read)
        done += read.n_photos
        if on_photo:
            on_photo(done, total)
        if done - last >= per_shard:
            yield group
            group, last = [], done
    if group:
        yield group


def _put_right(
    writer: FaceTableWriter,
    paths: Sequence[Path],
    photos: list[Path],
    unreadable: list[Unreadable],
    workers: Workers,
) -> tuple[list[Path], int]:
    """Drop what is gone or was replaced; returns the photos that the table does not hold, and how many left it.

    A new table need not read any of them for that.
    """
    if not writer.photos:
        return photos, 0
    digests = dict(zip(photos, workers.map(content_hash, photos, on_lost=lambda _: ""), strict=True))
    n_left = writer.drop(_leaving(paths, digests, unreadable, [path for path, _ in writer.photos]))
    done = writer.done
    return [photo for photo in photos if digests[photo] not in done], n_left


def _leaving(
    paths: Sequence[Path], digests: dict[Path, str], unreadable: list[Unreadable], known: list[str]
) -> Callable[[str, str], bool]:
    """Whether a photo of a table leaves it: it is not where it was, or another one is.

    Only photos at ``paths`` and below are judged, and none below a folder that cannot be opened.

    Raises:
        DataError: a folder without any photo of which the table holds some: most likely its disk is not there.
    """
    here = {_absolute(path): digest for path, digest in digests.items()}
    folders = tuple(_folder(path) for path in paths if path.is_dir())
    shut = tuple(_folder(one.photo) for one in unreadable)
    for folder in folders:
        n = sum(_absolute(path).startswith(folder) for path in known)
        if n and not any(path.startswith(folder) for path in here):
            raise DataError(
                f"{folder}: expected some of the {n} photos that the table holds of this folder, met none; "
                "mount its disk, or write a new table"
            )

    def leaves(path: str, digest: str) -> bool:
        path = _absolute(path)
        if path in here:
            return here[path] not in ("", digest)
        return path.startswith(folders) and not path.startswith(shut)

    return leaves


def _folder(path: Path) -> str:
    return _absolute(path).rstrip(os.sep) + os.sep


def _absolute(path: Path | str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - links stay as they are written


def extract_tables(
    photos: Sequence[Path],
    detector: FaceDetector | None,
    embedder: FaceEmbedder,
    *,
    workers: int | None = None,
) -> Iterator[FaceTable | Unreadable]:
    """The faces of each photo or video as a table of their own, in the order asked for.

    Args:
        photos: files.
        detector: finds the faces; None where the files are ready crops.
        embedder: embeds them.
        workers: threads; all cores when absent.
    """
    if detector is None:
        for read in in_order(lambda path: _read_crops([path], embedder), photos, workers=workers):
            yield read.unreadable[0] if read.table is None else read.table
        return
    for found in extract_files(photos, detector, embedder, workers=workers):
        yield found if isinstance(found, Unreadable) else table_of(found, embedder.spec)


def extract_table(
    paths: Sequence[Path],
    detector: FaceDetector | None,
    embedder: FaceEmbedder,
    *,
    workers: int | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> tuple[FaceTable, tuple[Unreadable, ...]]:
    """All faces of photos and videos, and of those below folders, in memory; and what could not be read.

    Arguments are those of `extract_tables`; ``on_photo`` is called with (photos done, photos in all).

    Raises:
        DataError: a path that is not there.
    """
    photos, unreadable = expand_paths(paths, videos=detector is not None)
    tables = [FaceTable.empty(dim=embedder.spec.dim, model=embedder.spec.sha256)]
    for done, found in enumerate(extract_tables(photos, detector, embedder, workers=workers), 1):
        if isinstance(found, Unreadable):
            unreadable.append(found)
        else:
            tables.append(dataclasses.replace(found, identities=None))
        if on_photo:
            on_photo(done, len(photos))
    return FaceTable.merge(tables), tuple(unreadable)


def expand_paths(paths: Sequence[Path], *, videos: bool = True) -> tuple[list[Path], list[Unreadable]]:
    """The photos themselves and those below folders; and what could not be looked into.

    Args:
        paths: files and folders.
        videos: with the videos below folders.

    Raises:
        DataError: a path that is not there.
    """
    photos: list[Path] = []
    unreadable: list[Unreadable] = []
    for path in paths:
        if path.is_dir():
            listing = list_photos(path, videos=videos)
            photos += listing.photos
            unreadable += listing.unreadable
        elif path.exists():
            photos.append(path)
        else:
            raise DataError(f"{path}: expected a photo or a folder of photos, there is nothing of that name")
    return photos, unreadable


def content_hash(photo: Path) -> str:
    """sha256 in hex, empty where the file cannot be read (extraction then says why)."""
    try:
        return (
            hashlib.sha256(read_bytes(photo)).hexdigest() if isinstance(photo, Address) else file_hash(photo)
        )
    except ImageError:
        return ""


def _crop_table(found: list[Crop], embedder: FaceEmbedder) -> FaceTable:
    paths, digests, crops = zip(*found, strict=True)
    pixels, n = np.stack(crops), len(found)
    rows = [embedder.embed(pixels[i : i + CROPS_PER_BATCH]) for i in range(0, n, CROPS_PER_BATCH)]
    ids = np.array([face_id(digest, 0) for digest in digests], np.int64)
    return FaceTable(
        embedder.spec.sha256, tuple(map(str, paths)), digests, ids, np.arange(n, dtype=np.int32), UNKNOWN, UNKNOWN,
        UNKNOWN, face_quality(pixels), np.concatenate(rows), tuple(path.parent.name for path in paths),
    )  # fmt: skip
