"""Photos or ready crops to a FaceTable on disk; a second run costs only what is not in it yet."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError, ImageError
from facespace.extract.photos import (
    CROPS_PER_BATCH,
    FaceDetector,
    FaceEmbedder,
    PhotoFaces,
    extract_crops,
    extract_photos,
    in_order,
)
from facespace.extract.videos import file_hash
from facespace.faces.quality import face_quality
from facespace.images import Unreadable, list_photos
from facespace.models import ModelSpec
from facespace.table import FaceTable, FaceTableWriter, face_id

__all__ = [
    "EmbedResult",
    "content_hash",
    "embed_crops",
    "embed_photos",
    "expand_paths",
    "extract_table",
    "extract_tables",
]

PHOTOS_PER_SHARD = 500
READY_CROPS = ""  # in place of a detector
Crop = tuple[Path, str, NDArray[np.uint8]]
Found = PhotoFaces | Crop | Unreadable
Item = TypeVar("Item")


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


class NamedDetector(FaceDetector, Protocol):
    """A detector that can name itself."""

    spec: ModelSpec


def embed_photos(
    paths: Sequence[Path],
    output: Path,
    detector: NamedDetector,
    embedder: FaceEmbedder,
    *,
    workers: int | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> EmbedResult:
    """Embed all faces of photos, and of the photos below folders, into the table at ``output``.

    Stopping loses at most the shard in hand; photos whose content the table holds are passed over, and those below
    ``paths`` that are gone or were replaced leave it.

    Raises:
        DataError: a path that is not there; a folder that shows none of the photos that the table holds of it; another
            run that writes to the table; a table of another model or detector at ``output``.
        WriteError: the disk is full, or does not let us write there.
    """
    photos, unreadable = expand_paths(paths)
    with FaceTableWriter(output, model=embedder.spec.sha256, detector=detector.spec.sha256) as writer:
        todo, n_left = _put_right(writer, paths, photos, unreadable, workers)
        found = extract_photos(todo, detector, embedder, workers=workers)
        return _write(writer, _grouped(found, len(todo), on_photo), embedder, n_left, unreadable)


def embed_crops(
    paths: Sequence[Path],
    output: Path,
    embedder: FaceEmbedder,
    *,
    workers: int | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> EmbedResult:
    """Embed ready crops, as `embed_photos` does photos; folders are identities: `root/<identity>/<image>`."""
    photos, unreadable = expand_paths(paths)
    with FaceTableWriter(output, model=embedder.spec.sha256, detector=READY_CROPS) as writer:
        todo, n_left = _put_right(writer, paths, photos, unreadable, workers)
        found = in_order(lambda path: _read_crop(path, embedder), todo, workers=workers)
        return _write(writer, _grouped(found, len(todo), on_photo), embedder, n_left, unreadable)


def _put_right(
    writer: FaceTableWriter,
    paths: Sequence[Path],
    photos: list[Path],
    unreadable: list[Unreadable],
    workers: int | None,
) -> tuple[list[Path], int]:
    """Drop what is gone or was replaced; returns the photos that the table does not hold, and how many left it.

    A new table need not read any of them for that.
    """
    if not writer.photos:
        return photos, 0
    digests = dict(zip(photos, in_order(content_hash, photos, workers=workers), strict=True))
    n_left = writer.drop(_Leaving(paths, digests, unreadable, [path for path, _ in writer.photos]))
    done = writer.done
    return [photo for photo in photos if digests[photo] not in done], n_left


class _Leaving:
    """Whether a photo of a table leaves it: it is not where it was, or another one is.

    Only photos at ``paths`` and below are judged, and none below a folder that cannot be opened.

    Raises:
        DataError: a folder without any photo of which the table holds some: most likely its disk is not there.
    """

    def __init__(
        self, paths: Sequence[Path], digests: dict[Path, str], unreadable: list[Unreadable], known: list[str]
    ) -> None:
        self._digests = {_absolute(path): digest for path, digest in digests.items()}
        self._folders = [_folder(path) for path in paths if path.is_dir()]
        self._shut = tuple(_folder(one.photo) for one in unreadable)
        for folder in self._folders:
            n = sum(_absolute(path).startswith(folder) for path in known)
            if n and not any(path.startswith(folder) for path in self._digests):
                raise DataError(
                    f"{folder}: expected some of the {n} photos that the table holds of this folder, met none; "
                    "mount its disk, or write a new table"
                )

    def __call__(self, path: str, digest: str) -> bool:
        path = _absolute(path)
        if path in self._digests:
            return self._digests[path] not in ("", digest)
        return path.startswith(tuple(self._folders)) and not path.startswith(self._shut)


def _folder(path: Path) -> str:
    return _absolute(path).rstrip(os.sep) + os.sep


def _absolute(path: Path | str) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - links stay as they are written


def _write(
    writer: FaceTableWriter,
    groups: Iterator[list[Found]],
    embedder: FaceEmbedder,
    n_left: int,
    unreadable: list[Unreadable],
) -> EmbedResult:
    n_new, partial = 0, []
    for group in groups:
        unreadable += [item for item in group if isinstance(item, Unreadable)]
        photos = [item for item in group if isinstance(item, PhotoFaces)]
        crops = [item for item in group if isinstance(item, tuple)]
        partial += [Unreadable(item.photo, item.note) for item in photos if item.note]
        if photos:
            writer.append(_table(photos, embedder))
        if crops:
            writer.append(_crop_table(crops, embedder))
        n_new += len(photos) + len(crops)
    return EmbedResult(writer.n_faces, len(writer.photos), n_new, n_left, tuple(unreadable), tuple(partial))


def extract_tables(
    photos: Sequence[Path],
    detector: FaceDetector | None,
    embedder: FaceEmbedder,
    *,
    workers: int | None = None,
) -> Iterator[FaceTable | Unreadable]:
    """The faces of each photo as a table of their own, in the order asked for.

    Args:
        photos: files.
        detector: finds the faces; None where the files are ready crops.
        embedder: embeds them.
        workers: threads; all cores when absent.
    """
    if detector is None:
        yield from in_order(lambda path: _one_crop(path, embedder), photos, workers=workers)
        return
    for found in extract_photos(photos, detector, embedder, workers=workers):
        yield _table([found], embedder) if isinstance(found, PhotoFaces) else found


def extract_table(
    paths: Sequence[Path],
    detector: FaceDetector | None,
    embedder: FaceEmbedder,
    *,
    workers: int | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> tuple[FaceTable, tuple[Unreadable, ...]]:
    """All faces of photos, and of the photos below folders, in memory; and what could not be read.

    Arguments are those of `extract_tables`; ``on_photo`` is called with (photos done, photos in all).

    Raises:
        DataError: a path that is not there.
    """
    photos, unreadable = expand_paths(paths)
    tables = [FaceTable.empty(dim=embedder.spec.dim, model=embedder.spec.sha256)]
    for done, found in enumerate(extract_tables(photos, detector, embedder, workers=workers), 1):
        if isinstance(found, Unreadable):
            unreadable.append(found)
        else:
            tables.append(dataclasses.replace(found, identities=None))
        if on_photo:
            on_photo(done, len(photos))
    return FaceTable.merge(tables), tuple(unreadable)


def _one_crop(path: Path, embedder: FaceEmbedder) -> FaceTable | Unreadable:
    crop = _read_crop(path, embedder)
    return crop if isinstance(crop, Unreadable) else _crop_table([crop], embedder)


def _read_crop(path: Path, embedder: FaceEmbedder) -> Crop | Unreadable:
    try:
        (crop,) = extract_crops([path], embedder)
    except ImageError as error:
        return Unreadable(path, error.reason)
    return crop


def _grouped(
    found: Iterator[Item], total: int, on_photo: Callable[[int, int], None] | None
) -> Iterator[list[Item]]:
    """What was found in groups of a shard."""
    group: list[Item] = []
    for done, item in enumerate(found, 1):
        group.append(item)
        if on_photo:
            on_photo(done, total)
        if len(group) == PHOTOS_PER_SHARD:
            yield group
            group = []
    if group:
        yield group


def expand_paths(paths: Sequence[Path]) -> tuple[list[Path], list[Unreadable]]:
    """The photos themselves and those below folders; and what could not be looked into.

    Raises:
        DataError: a path that is not there.
    """
    photos: list[Path] = []
    unreadable: list[Unreadable] = []
    for path in paths:
        if path.is_dir():
            listing = list_photos(path)
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
        return file_hash(photo)
    except ImageError:
        return ""


def _table(found: list[PhotoFaces], embedder: FaceEmbedder) -> FaceTable:
    counts = [len(item.faces) for item in found]
    return FaceTable(
        embedder.spec.sha256,
        tuple(str(item.photo) for item in found),
        tuple(item.sha256 for item in found),
        np.array([face_id(item.sha256, i) for item in found for i in range(len(item.faces))], np.int64),
        np.repeat(np.arange(len(found), dtype=np.int32), counts),
        np.concatenate([item.faces.boxes_xyxy for item in found]),
        np.concatenate([item.faces.landmarks_xy for item in found]),
        np.concatenate([item.faces.scores for item in found]),
        np.concatenate([item.quality for item in found]),
        np.concatenate([item.embeddings for item in found]),
    )


def _crop_table(crops: list[Crop], embedder: FaceEmbedder) -> FaceTable:
    n = len(crops)
    pixels = np.stack([crop for _, _, crop in crops])
    rows = [embedder.embed(pixels[i : i + CROPS_PER_BATCH]) for i in range(0, n, CROPS_PER_BATCH)]
    unknown = np.full(n, np.nan, np.float32)
    return FaceTable(
        embedder.spec.sha256,
        tuple(str(path) for path, _, _ in crops),
        tuple(digest for _, digest, _ in crops),
        np.array([face_id(digest, 0) for _, digest, _ in crops], np.int64),
        np.arange(n, dtype=np.int32),
        np.full((n, 4), np.nan, np.float32),
        np.full((n, 5, 2), np.nan, np.float32),
        unknown,
        face_quality(pixels),
        np.concatenate(rows),
        tuple(path.parent.name for path, _, _ in crops),
    )
