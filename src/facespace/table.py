"""FaceTable: faces as parallel columns, in memory and on disk.

On disk it is a folder: numbered shards (`000000/embedding.npy` and so on) and a `manifest.json` that
lists them. A shard is written beside and renamed, the manifest comes last, so a table that is being written is
whole at every moment up to its last finished shard; appending and resuming are the same thing.
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError, InputError
from facespace.saved_files import write_beside, written_beside

__all__ = ["FORMAT_VERSION", "FaceTable", "FaceTableWriter", "face_id"]

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
COLUMNS = {
    "face_id": (np.int64, ()),
    "photo_idx": (np.int32, ()),
    "box_xyxy": (np.float32, (4,)),
    "landmarks_xy": (np.float32, (5, 2)),
    "score": (np.float32, ()),
    "quality": (np.float32, ()),
}


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
        box_xyxy: float32, shape (N, 4), pixels of the whole upright photo; nan for ready crops.
        landmarks_xy: float32, shape (N, 5, 2), likewise.
        score: float32, shape (N,), the detector's; nan for ready crops.
        quality: float32, shape (N,), in [0, 1]: a rank among ordinary faces, below 0.1 better set aside; of the
            crop alone for ready crops; nan where it is not known.
        embedding: float32 unit rows, shape (N, D).
        identities: the person of each photo where it is known, else None.
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

    def __post_init__(self) -> None:
        n = len(self.face_id)
        for name, (kind, shape) in COLUMNS.items():
            array = np.asarray(getattr(self, name), kind)
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
        columns = {name: np.zeros((0, *shape), kind) for name, (kind, shape) in COLUMNS.items()}
        return cls(model, (), (), embedding=np.zeros((0, dim), np.float32), **columns)  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.face_id)

    def __getitem__(self, index: slice | NDArray[np.int_] | NDArray[np.bool_]) -> "FaceTable":
        """A part of the faces; the list of photos stays whole."""
        names = [*COLUMNS, "embedding"]
        return dataclasses.replace(self, **{name: getattr(self, name)[index] for name in names})

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
            name: np.concatenate([getattr(table, name) for table in tables])
            for name in [*COLUMNS, "embedding"]
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
        FaceTableWriter(folder, model=self.model).append(self)

    @classmethod
    def load(cls, folder: Path) -> "FaceTable":
        """Read a table; the embeddings of a single shard stay on disk until used (memory-mapped).

        Raises:
            DataError: no table there, one of a newer version, or a damaged one.
        """
        manifest = _read_manifest(folder)
        shards = [_read_shard(folder, name, manifest["model"]) for name in manifest["shards"]]
        return cls.merge(shards) if len(shards) != 1 else shards[0]

    def save_npz(self, path: Path) -> None:
        """Export as one .npz file with a column a key, and the person of each face where it is known."""
        columns = {name: getattr(self, name) for name in [*COLUMNS, "embedding"]}
        if self.identities is not None:
            columns["identities"] = np.array(self.identities, object).astype(str)[self.photo_idx]
        with written_beside(path, private=True) as partial, partial.open("wb") as file:
            np.savez(file, photos=np.array(self.photos), model=np.array(self.model), **columns)


class FaceTableWriter:
    """Appends shards to a table on disk, and knows which photos it holds.

    Args:
        folder: the table; made with the first shard.
        model: sha256 of the embedder.

    Raises:
        DataError: a table of another model or a newer version stands there.
    """

    def __init__(self, folder: Path, *, model: str) -> None:
        self.folder, self.model = folder, model
        self.shards: list[str] = []
        self.done: set[str] = set()
        if (folder / MANIFEST).exists():
            manifest = _read_manifest(folder)
            if manifest["model"] != model:
                raise DataError(
                    f"{folder}: holds embeddings of another model ({manifest['model'][:8]}, now {model[:8]}); "
                    "name another folder"
                )
            self.shards = list(manifest["shards"])
            for name in self.shards:
                self.done |= set(_read_json(folder / name / "photos.json")["photo_sha256"])
        elif folder.exists() and any(folder.iterdir()):
            raise DataError(f"{folder}: expected a FaceTable or an empty folder, met other files")

    def append(self, table: FaceTable) -> None:
        """Add a shard; it counts once the manifest names it."""
        name = f"{len(self.shards):06d}"
        shutil.rmtree(self.folder / name, ignore_errors=True)  # of a run that was killed before the manifest
        photos = {
            "photos": table.photos,
            "photo_sha256": table.photo_sha256,
            "identities": table.identities,
        }
        with written_beside(self.folder / name, private=True, folder=True) as partial:
            for column in [*COLUMNS, "embedding"]:
                np.save(partial / f"{column}.npy", getattr(table, column))
            (partial / "photos.json").write_text(json.dumps(photos), encoding="utf-8")
        self.shards.append(name)
        self._write_manifest()
        self.done |= set(table.photo_sha256)

    def _write_manifest(self) -> None:
        manifest = {"format": FORMAT_VERSION, "model": self.model, "shards": self.shards}
        write_beside(self.folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode(), private=True)


def _read_manifest(folder: Path) -> dict[str, Any]:
    manifest = _read_json(folder / MANIFEST)
    if not isinstance(manifest.get("format"), int) or "shards" not in manifest or "model" not in manifest:
        raise DataError(f"{folder}: expected a FaceTable, its manifest says nothing of one")
    if manifest["format"] > FORMAT_VERSION:
        raise DataError(f"{folder}: a FaceTable of format {manifest['format']}, known up to {FORMAT_VERSION}")
    return manifest


def _read_shard(folder: Path, name: str, model: str) -> FaceTable:
    photos = _read_json(folder / name / "photos.json")
    try:
        columns = {
            column: np.load(folder / name / f"{column}.npy", mmap_mode="r" if column == "embedding" else None)
            for column in [*COLUMNS, "embedding"]
        }
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}: the FaceTable is damaged: {error}") from error
    identities = photos["identities"]
    return FaceTable(
        model,
        tuple(photos["photos"]),
        tuple(photos["photo_sha256"]),
        identities=None if identities is None else tuple(identities),
        **columns,
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path.parent}: expected a FaceTable, cannot read {path.name}: {error}") from error
    return document
