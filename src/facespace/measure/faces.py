"""Faces of known people: as pictures, before any model (`FaceSet`), and embedded by one (`EmbeddedFaces`)."""

import dataclasses
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from facespace.distances import check_embeddings
from facespace.errors import DataError, ImageError, InputError
from facespace.measure.experiment import Option
from facespace.measure.views import FacePlace
from facespace.models import ModelSpec
from facespace.table import FaceTable

Faces = Annotated[
    Path | None,
    Option(
        "DATA/faces/val unless given: crops in folders <identity>/<image>, a FaceTable, or an .npz with 'embedding' "
        "and 'labels'.",
        argument=True,
    ),
]
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
EMBEDDING_KEYS = ("embedding", "embeddings")
LABEL_KEYS = ("labels", "identities")
FACES_HELP = "crops in folders <identity>/<image>, a FaceTable, or an .npz with 'embedding' and 'labels'"


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Pictures of known people."""

    name: str  # for people, such as "faces/val"
    paths: tuple[Path, ...]  # the pictures, N of them
    labels: NDArray[np.int64]  # shape (N,), an index into ``identities``
    identities: tuple[str, ...]  # names, each once
    # where the face is in each picture; empty for ready crops, each of which is a face as a whole
    places: tuple[FacePlace, ...] = ()

    @property
    def n_pairs(self) -> tuple[int, int]:
        """All pairs i < j: of one person, and of two."""
        sizes = np.bincount(self.labels)
        same, n = int((sizes * (sizes - 1) // 2).sum()), len(self.labels)
        return same, n * (n - 1) // 2 - same

    @property
    def failures(self) -> int:
        """Pictures without a detected face, whose place is that of the centre crop."""
        return sum(not place.found for place in self.places)

    @cached_property
    def digest(self) -> str:
        """Names the content: the bytes of every picture in order, and where its face is."""
        with ThreadPoolExecutor() as pool:
            hashes = b"".join(pool.map(_file_hash, self.paths))
        places = b"".join(place.to_array().tobytes() for place in self.places)
        return hashlib.sha256(hashes + places).hexdigest()

    def place(self, i: int) -> FacePlace | None:
        """Of picture ``i``; None for a ready crop."""
        return self.places[i] if self.places else None

    def every(self, n: int) -> "FaceSet":
        """About ``n`` of the faces, evenly spaced over all of them."""
        kept = slice(None, None, max(1, len(self.paths) // n))
        return dataclasses.replace(
            self, paths=self.paths[kept], labels=self.labels[kept], places=self.places[kept]
        )

    def embedded(self, rows: NDArray[np.float32]) -> "EmbeddedFaces":
        """The faces as a model's unit rows (N, D)."""
        return EmbeddedFaces(rows, self.labels, self.identities)


@dataclass(frozen=True, eq=False)
class EmbeddedFaces:
    """Embeddings of known people."""

    # unit rows, shape (N, D), float32, or int8 templates, whose directions count
    embeddings: NDArray[np.float32]
    labels: NDArray[np.int64]  # shape (N,), an index into ``identities``
    identities: tuple[str, ...]  # names, sorted


def prototypes(
    rows: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """The labels that occur (P,), the normalised mean of the rows of each (P, D), and how many they are (P,)."""
    people, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    unit = rows / np.maximum(np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True), 1e-12)
    sums = np.zeros((len(people), rows.shape[1]))
    np.add.at(sums, place, unit)
    lengths = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return people, (sums / lengths).astype(np.float32), counts


def open_crops(root: Path) -> FaceSet:
    """The ready crops `root/<identity>/<image>`, by name; identities without any are left out.

    Raises:
        DataError: no such folder, or fewer than two identities in it.
    """
    folders = sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
    files = {d.name: sorted(f for f in d.iterdir() if f.suffix.lower() in SUFFIXES) for d in folders}
    files = {name: paths for name, paths in files.items() if paths}
    if len(files) < 2:
        raise DataError(f"{root}: expected folders <identity>/<image>, met {len(files)} identities")
    paths = tuple(path for group in files.values() for path in group)
    labels = np.repeat(np.arange(len(files)), [len(group) for group in files.values()]).astype(np.int64)
    return FaceSet(f"{root.parent.name}/{root.name}", paths, labels, tuple(files))


def is_embedded(path: Path) -> bool:
    """Whether ``path`` holds embeddings already, so that no model is needed."""
    return path.suffix == ".npz" or (path / "manifest.json").is_file()


def read_embedded(path: Path, spec: ModelSpec | None = None) -> EmbeddedFaces:
    """Embeddings from a file.

    Args:
        path: a FaceTable whose identities are known, or an .npz file with `embedding` (N, D), float32 unit rows or int8
            templates, and `labels` (N,), numbers or names.
        spec: the model that a table must be of; any when absent.

    Raises:
        DataError: nothing of the kind there, identities that are not known, or a table of another model.
    """
    return _from_npz(path) if path.suffix == ".npz" else _from_table(path, spec)


def _file_hash(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        raise ImageError(path, error.strerror or "cannot be read") from error


def _from_table(path: Path, spec: ModelSpec | None) -> EmbeddedFaces:
    table = FaceTable.load(path)
    if table.identities is None:
        raise DataError(f"{path}: the table does not know whom its faces show; make it with embed --crops")
    if spec is not None and table.model != spec.sha256:
        raise DataError(
            f"{path}: embedded by model {table.model[:8]}, not by {spec.label}; leave --model out"
        )
    names = np.array(table.identities, object).astype(str)[table.photo_idx]
    return _checked(path, np.asarray(table.embedding), names)


def _from_npz(path: Path) -> EmbeddedFaces:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in (*EMBEDDING_KEYS, *LABEL_KEYS) if key in file.files}
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: expected an .npz file, it cannot be read: {error}") from error
    rows = next((arrays[key] for key in EMBEDDING_KEYS if key in arrays), None)
    labels = next((arrays[key] for key in LABEL_KEYS if key in arrays), None)
    if rows is None or labels is None:
        raise DataError(
            f"{path}: expected arrays 'embedding' and 'labels', got {sorted(arrays) or 'neither'}"
        )
    return _checked(path, rows, labels)


def _checked(path: Path, rows: NDArray[np.float32], labels: NDArray[np.generic]) -> EmbeddedFaces:
    if rows.ndim != 2 or labels.shape != (len(rows),):
        raise DataError(
            f"{path}: expected (N, D) embeddings and (N,) labels, got {rows.shape}, {labels.shape}"
        )
    try:
        rows = rows if rows.dtype == np.int8 else check_embeddings(rows)
    except InputError as error:
        raise DataError(f"{path}: {error}") from error
    names, numbers = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        raise DataError(
            f"{path}: expected two people or more, met {len(names)}: no pairs of different people"
        )
    return EmbeddedFaces(rows, numbers.astype(np.int64), tuple(map(str, names)))
