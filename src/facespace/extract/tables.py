"""Photos or ready crops to a FaceTable on disk; a second run costs only what is not in it yet."""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

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
from facespace.faces.quality import face_quality
from facespace.images import Unreadable, list_photos, read_bytes
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


@dataclass(frozen=True)
class EmbedResult:
    """What went into a table.

    Attributes:
        n_faces: faces in the table now.
        n_photos: photos in the table now.
        n_new: photos that this run read.
        unreadable: photos that could not be read.
    """

    n_faces: int
    n_photos: int
    n_new: int
    unreadable: tuple[Unreadable, ...]


def embed_photos(
    paths: Sequence[Path],
    output: Path,
    detector: FaceDetector,
    embedder: FaceEmbedder,
    *,
    workers: int | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> EmbedResult:
    """Embed all faces of photos, and of the photos below folders, into the table at ``output``.

    Stopping loses at most the shard in hand; photos whose content the table holds are passed over.

    Raises:
        DataError: a path that is not there, or a table of another model at ``output``.
    """
    writer = FaceTableWriter(output, model=embedder.spec.sha256)
    photos, unreadable = expand_paths(paths)
    todo = _not_done(photos, writer)
    found = extract_photos(todo, detector, embedder, workers=workers)
    done = 0
    for group in _grouped(found, len(todo), on_photo):
        unreadable += [item for item in group if isinstance(item, Unreadable)]
        photos_found = [item for item in group if isinstance(item, PhotoFaces)]
        done += len(photos_found)
        if photos_found:
            writer.append(_table(photos_found, embedder))
    return _result(output, done, unreadable)


def embed_crops(
    paths: Sequence[Path],
    output: Path,
    embedder: FaceEmbedder,
    *,
    on_photo: Callable[[int, int], None] | None = None,
) -> EmbedResult:
    """Embed ready crops; each one's folder is its identity (`root/<identity>/<image>`).

    Raises:
        DataError: a path that is not there, or a table of another model at ``output``.
    """
    writer = FaceTableWriter(output, model=embedder.spec.sha256)
    photos, unreadable = expand_paths(paths)
    todo = _not_done(photos, writer)
    done = 0
    for start in range(0, len(todo), PHOTOS_PER_SHARD):
        group = []
        for photo in todo[start : start + PHOTOS_PER_SHARD]:
            try:
                group += list(extract_crops([photo], embedder))
            except ImageError as error:
                unreadable.append(Unreadable(photo, error.reason))
        if group:
            writer.append(_crop_table(group, embedder))
            done += len(group)
        if on_photo:
            on_photo(min(start + PHOTOS_PER_SHARD, len(todo)), len(todo))
    return _result(output, done, unreadable)


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
    try:
        return _crop_table(list(extract_crops([path], embedder)), embedder)
    except ImageError as error:
        return Unreadable(path, error.reason)


def _grouped(
    found: Iterator[PhotoFaces | Unreadable], total: int, on_photo: Callable[[int, int], None] | None
) -> Iterator[list[PhotoFaces | Unreadable]]:
    """What was found in groups of a shard."""
    group: list[PhotoFaces | Unreadable] = []
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


def _not_done(photos: list[Path], writer: FaceTableWriter) -> list[Path]:
    """Photos whose content the table does not hold; a new table need not read any of them for that."""
    return [p for p in photos if not writer.done or content_hash(p) not in writer.done]


def content_hash(photo: Path) -> str:
    """sha256 in hex, empty where the file cannot be read (extraction then says why)."""
    try:
        return hashlib.sha256(read_bytes(photo)).hexdigest()
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


def _crop_table(crops: list[tuple[Path, str, NDArray[np.uint8]]], embedder: FaceEmbedder) -> FaceTable:
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


def _result(output: Path, n_new: int, unreadable: list[Unreadable]) -> EmbedResult:
    try:
        table = FaceTable.load(output)
    except DataError:
        return EmbedResult(0, 0, 0, tuple(unreadable))
    return EmbedResult(len(table), len(table.photos), n_new, tuple(unreadable))
