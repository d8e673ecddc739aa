"""FaceTable: faces as parallel columns, in memory and on disk.

On disk it is a folder: numbered shards (`000000/embedding.npy` and so on) and a `manifest.json` that
lists them. A shard is written beside and renamed, the manifest comes last, so a table that is being written is
whole at every moment up to its last finished shard; appending and resuming are the same thing.
"""

import dataclasses
import hashlib
import json
import shutil
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError, InputError
from facespace.saved_files import write_beside, written_beside
from facespace.table_files import (
    FORMAT_VERSION,
    MANIFEST,
    has_array,
    load_array,
    lock_folder,
    read_manifest,
    read_photos,
    write_shard,
)

# Type and shape of a face's value, and what stands where it is not known, or for what only faces of videos have.
COLUMNS: dict[str, tuple[type, tuple[int, ...], float]] = {
    "face_id": (np.int64, (), -1),
    "photo_idx": (np.int32, (), -1),
    "box_xyxy": (np.float32, (4,), np.nan),
    "landmarks_xy": (np.float32, (5, 2), np.nan),
    "score": (np.float32, (), np.nan),
    "quality": (np.float32, (), np.nan),
    "frame": (np.int64, (), -1),
    "time_s": (np.float64, (), np.nan),
    "track": (np.int32, (), -1),
}
ALL_COLUMNS = [*COLUMNS, "embedding"]
VIDEO_COLUMNS = ("frame", "time_s", "track")  # which tables of format 1 do not have
# In place of a column, where of no face it is known.
UNKNOWN: Any = None


def face_id(photo_sha256: str, index: int) -> int:
    """A stable 63-bit id of the face with that rank in the photo with that content."""
    digest = hashlib.sha256(f"{photo_sha256}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@dataclass(frozen=True)
class FaceTable:
    """Faces as parallel arrays of N rows.

    Attributes:
        model: sha256 of the embedder.
        photos: the photos, faces or none in them.
        photo_sha256: of each photo's content.
        face_id: int64, shape (N,).
        photo_idx: int32, shape (N,), into ``photos``.
        box_xyxy: float32, shape (N, 4), pixels of the whole upright photo; `UNKNOWN`, which makes nan, for ready crops.
        landmarks_xy: float32, shape (N, 5, 2), likewise.
        score: float32, shape (N,), the detector's; nan for ready crops.
        quality: float32, shape (N,), in [0, 1]: a rank among ordinary faces, below 0.1 better set aside; of the
            crop alone for ready crops; nan where it is not known.
        embedding: float32 unit rows, shape (N, D).
        identities: the person of each photo where it is known, else None.
        frame: int64, shape (N,), number of the frame in the video, from 0; -1 for photos.
        time_s: float64, shape (N,), from the beginning of the video; nan for photos.
        track: int32, shape (N,), which appearance in the video, from 0 by time, the best face of each first; -1 for
            photos. The faces of a track are one person's.
    """

    model: str
    photos: tuple[str, ...]
    photo_sha256: tuple[str, ...]
    face_id: NDArray[np.int64]
    photo_idx: NDArray[np.int32]
    box_xyxy: NDArray[np.float32]
    landmarks_xy: NDArray[np.float32]
    score: NDArray[np.float32]
    quality: NDArray[np.float32]
    embedding: NDArray[np.float32]
    identities: tuple[str, ...] | None = None
    frame: NDArray[np.int64] = UNKNOWN
    time_s: NDArray[np.float64] = UNKNOWN
    track: NDArray[np.int32] = UNKNOWN

    def __post_init__(self) -> None:
        n = len(self.face_id)
        for name, (kind, shape, unknown) in COLUMNS.items():
            given = getattr(self, name)
            array: NDArray[Any] = np.asarray(
                np.full((n, *shape), unknown) if given is UNKNOWN else given, kind
            )
            if array.shape != (n, *shape):
                raise InputError(f"FaceTable.{name}: expected shape {(n, *shape)}, got {array.shape}")
            object.__setattr__(self, name, array)
        embedding = np.asarray(self.embedding, np.float32)
        if embedding.ndim != 2 or len(embedding) != n:
            raise InputError(f"FaceTable.embedding: expected shape ({n}, D), got {embedding.shape}")
        object.__setattr__(self, "embedding", embedding)
        self._check_photos()

    def _check_photos(self) -> None:
        n_photos = len(self.photos)
        if len(self.photo_sha256) != n_photos or (self.identities and len(self.identities) != n_photos):
            raise InputError(f"FaceTable: expected a hash (and identity) for each of {n_photos} photos")
        if len(self.photo_idx) and not (self.photo_idx.min() >= 0 and self.photo_idx.max() < n_photos):
            raise InputError(f"FaceTable.photo_idx: expected 0 to {n_photos - 1}, got {self.photo_idx.max()}")

    @classmethod
    def empty(cls, *, dim: int, model: str) -> "FaceTable":
        """No faces of embeddings with ``dim`` components."""
        none, rows = np.zeros(0, np.int64), np.zeros((0, dim), np.float32)
        return cls(model, (), (), none, none.astype(np.int32), UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, rows)

    def __len__(self) -> int:
        return len(self.face_id)

    def __getitem__(self, index: slice | NDArray[np.int_] | NDArray[np.bool_]) -> "FaceTable":
        """A part of the faces; the list of photos stays whole."""
        return dataclasses.replace(self, **{name: getattr(self, name)[index] for name in ALL_COLUMNS})

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """The identity of each face as a number, shape (N,), or None where identities are not known."""
        if self.identities is None:
            return None
        _, numbers = np.unique(np.array(self.identities, object).astype(str), return_inverse=True)
        return numbers.astype(np.int64)[self.photo_idx]

    @classmethod
    def merge(cls, tables: Sequence["FaceTable"]) -> "FaceTable":
        """Faces of several tables one after another.

        Raises:
            InputError: no table, or tables of different models.
        """
        if not tables:
            raise InputError("FaceTable.merge: expected at least one table")
        if len({table.model for table in tables}) > 1:
            raise InputError("FaceTable.merge: expected tables of one model; embed the photos again with one")
        starts = np.cumsum([0, *(len(table.photos) for table in tables)])
        columns: dict[str, Any] = {
            name: np.concatenate([getattr(table, name) for table in tables]) for name in ALL_COLUMNS
        }
        columns["photo_idx"] = np.concatenate(
            [table.photo_idx + start for table, start in zip(tables, starts, strict=False)]
        )
        known = all(table.identities is not None for table in tables)
        return cls(
            tables[0].model,
            tuple(photo for table in tables for photo in table.photos),
            tuple(digest for table in tables for digest in table.photo_sha256),
            identities=tuple(i for table in tables for i in table.identities or ()) if known else None,
            **columns,
        )

    def save(self, folder: Path) -> None:
        """Write the table to ``folder`` as one shard, after any that stand there; see `FaceTableWriter`."""
        with FaceTableWriter(folder, model=self.model) as writer:
            writer.append(self)

    @classmethod
    def load(cls, folder: Path) -> "FaceTable":
        """Read a table; the embeddings of a single shard stay on disk until used (memory-mapped).

        Raises:
            DataError: no table there, one of a newer version, or a damaged one.
        """
        shards = list(cls.shards(folder))
        return cls.merge(shards) if len(shards) != 1 else shards[0]

    @classmethod
    def shards(cls, folder: Path) -> "Iterator[FaceTable]":
        """The parts of a table, one after the other, for one that is larger than memory; see `load`."""
        manifest = read_manifest(folder)
        for name in manifest["shards"]:
            yield _read_shard(folder, name, manifest["model"])

    def save_npz(self, path: Path) -> None:
        """Export as one .npz file with a column a key, and the person of each face where it is known."""
        columns = {name: getattr(self, name) for name in ALL_COLUMNS}
        if self.identities is not None:
            columns["identities"] = np.array(self.identities, object).astype(str)[self.photo_idx]
        with written_beside(path, private=True) as partial, partial.open("wb") as file:
            np.savez(file, photos=np.array(self.photos), model=np.array(self.model), **columns)


class FaceTableWriter:
    """Appends shards to a table on disk, drops photos from it, and knows which ones it holds.

    One at a time: the folder is locked until `close`, or as long as the process lives.

    Args:
        folder: the table; made if absent.
        model: sha256 of the embedder.
        detector: sha256 of the detector, empty for ready crops; None where it is not known.

    Raises:
        DataError: another process writes there, or a table of another model or detector or of a newer version stands
            there.
        WriteError: the disk does not let us write there.

    Attributes:
        folder: of the table.
        n_faces: in the table now.
    """

    def __init__(self, folder: Path, *, model: str, detector: str | None = None) -> None:
        self.folder, self._model, self._detector = folder, model, detector
        self._shards: dict[str, list[tuple[str, str]]] = {}  # the photos of each
        self._next = 0  # number of the next shard
        self.n_faces = 0
        self._is_new = not folder.exists()
        self._unlock = weakref.finalize(self, lock_folder(folder).close)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def photos(self) -> list[tuple[str, str]]:
        """Path and sha256 of each photo in the table now."""
        return [photo for photos in self._shards.values() for photo in photos]

    @property
    def done(self) -> set[str]:
        """The sha256 of each photo in the table now."""
        return {digest for _, digest in self.photos}

    def close(self) -> None:
        """Let others write; a table that holds nothing goes."""
        if self._is_new and not self._shards:
            with suppress(OSError):
                self.folder.rmdir()
        self._unlock()

    def append(self, table: FaceTable) -> None:
        """Add a shard; it counts once the manifest names it.

        Raises:
            DataError: another process has written to the table in the meantime (where folders cannot be locked).
            WriteError: the disk is full, or does not let us write there.
        """
        name = self._write_shard(table)
        self._shards[name] = list(zip(table.photos, table.photo_sha256, strict=True))
        self._write_manifest()
        self.n_faces += len(table)

    def drop(self, leaves: Callable[[str, str], bool]) -> int:
        """Write the shards of photos that leave again, without them and their faces.

        Args:
            leaves: whether a photo leaves, by its path and sha256.

        Returns:
            how many photos left.
        """
        n_before, shards, dropped = len(self.photos), {}, []
        last = list(self._shards)[-1:]
        for name, photos in self._shards.items():
            stays = np.array([not leaves(*photo) for photo in photos], bool)
            if stays.all():
                shards[name] = photos
                continue
            dropped.append(name)
            if stays.any() or (
                not shards and [name] == last
            ):  # an empty table still has the embeddings' length
                new = self._write_shard(_only(_read_shard(self.folder, name, self._model), stays))
                shards[new] = list(compress(photos, stays))
        if dropped:
            self._shards = shards
            self._write_manifest()
            self._count()
            self._clean()
        return n_before - len(self.photos)

    def _open(self) -> None:
        if (self.folder / MANIFEST).exists():
            manifest = read_manifest(self.folder)
            _check_same(self.folder, "embeddings", manifest["model"], self._model)
            if self._detector is not None and manifest.get("detector") is not None:
                _check_same(self.folder, "faces", manifest["detector"], self._detector)
            self._detector = self._detector if self._detector is not None else manifest.get("detector")
            for name in manifest["shards"]:
                photos = read_photos(self.folder, name)
                self._shards[name] = list(zip(photos["photos"], photos["photo_sha256"], strict=True))
            self._next = max(map(int, self._shards), default=-1) + 1
            self._count()
            self._clean()
        elif any(self.folder.iterdir()):
            raise DataError(f"{self.folder}: expected a FaceTable or an empty folder, met other files")

    def _count(self) -> None:
        """By the headers of files, not by reading them."""
        self.n_faces = sum(
            len(load_array(self.folder, name, "face_id", mapped=True)) for name in self._shards
        )

    def _clean(self) -> None:
        """Shards that the manifest does not name: dropped ones, and those of a run that was killed."""
        for path in self.folder.iterdir():
            if path.name.isdigit() and path.name not in self._shards:
                shutil.rmtree(path, ignore_errors=True)

    def _write_shard(self, table: FaceTable) -> str:
        manifest = self.folder / MANIFEST
        if manifest.exists() and read_manifest(self.folder)["shards"] != list(self._shards):
            raise DataError(
                f"{self.folder}: another run has written to this table; run the same command again"
            )
        name = f"{self._next:06d}"
        columns = {column: getattr(table, column) for column in ALL_COLUMNS}
        photos = {"photos": table.photos, "photo_sha256": table.photo_sha256, "identities": table.identities}
        write_shard(self.folder, name, columns, photos)
        self._next += 1
        return name

    def _write_manifest(self) -> None:
        manifest = {"format": FORMAT_VERSION, "model": self._model, "shards": list(self._shards)}
        if self._detector is not None:
            manifest["detector"] = self._detector
        write_beside(self.folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode(), private=True)


def _check_same(folder: Path, what: str, there: str, now: str) -> None:
    if there != now:
        names = [(name[:8] if name else "none, for ready crops") for name in (there, now)]
        kind = "model" if what == "embeddings" else "detector"
        raise DataError(
            f"{folder}: holds {what} of another {kind} ({names[0]}, now {names[1]}); name another folder"
        )


def _only(table: FaceTable, stays: NDArray[np.bool_]) -> FaceTable:
    """A table without the photos that do not stay and their faces."""
    faces = table[stays[table.photo_idx]]
    numbers = np.cumsum(stays) - 1
    return dataclasses.replace(
        faces,
        photos=tuple(compress(table.photos, stays)),
        photo_sha256=tuple(compress(table.photo_sha256, stays)),
        photo_idx=numbers[faces.photo_idx].astype(np.int32),
        identities=None if table.identities is None else tuple(compress(table.identities, stays)),
    )


def _read_shard(folder: Path, name: str, model: str) -> FaceTable:
    photos = read_photos(folder, name)
    identities = photos["identities"]
    columns = {
        column: load_array(folder, name, column, mapped=column == "embedding")
        for column in ALL_COLUMNS
        if column not in VIDEO_COLUMNS or has_array(folder, name, column)
    }
    try:
        return FaceTable(
            model,
            tuple(photos["photos"]),
            tuple(photos["photo_sha256"]),
            identities=None if identities is None else tuple(identities),
            **columns,
        )
    except ValueError as error:
        raise DataError(f"{folder}: the FaceTable is damaged: {error}") from error
