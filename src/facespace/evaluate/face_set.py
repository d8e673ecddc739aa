"""Faces of known people from wherever they lie: folders of crops, a FaceTable, or an .npz file of embeddings."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.distances import check_embeddings
from facespace.errors import DataError, InputError
from facespace.evaluate.holdout import HoldoutFaces, embed_holdout
from facespace.extract import FaceEmbedder
from facespace.table import FaceTable

__all__ = ["is_embedded", "read_faces"]

EMBEDDING_KEYS = ("embedding", "embeddings")
LABEL_KEYS = ("labels", "identities")


def is_embedded(path: Path) -> bool:
    """Whether ``path`` holds embeddings already, so that no model is needed."""
    return path.suffix == ".npz" or (path / "manifest.json").is_file()


def read_faces(
    path: Path, embedder: FaceEmbedder | None = None, *, on_face: Callable[[int, int], None] | None = None
) -> HoldoutFaces:
    """Faces and whom they show.

    Args:
        path: folders of crops (`<identity>/<image>`), a FaceTable whose identities are known, or an .npz file with
            `embedding` (N, D), float32 unit rows or int8 templates, and `labels` (N,), numbers or names.
        embedder: for crops; a table must be of this model where one is given.
        on_face: called with (crops done, crops in all).

    Raises:
        DataError: nothing of the kind there, identities that are not known, or a table of another model.
    """
    if path.suffix == ".npz":
        return _from_npz(path)
    if is_embedded(path):
        return _from_table(path, embedder)
    if embedder is None:
        raise InputError(f"{path}: expected a model to embed crops with")
    return embed_holdout(path, embedder, on_face=on_face)


def _from_table(path: Path, embedder: FaceEmbedder | None) -> HoldoutFaces:
    table = FaceTable.load(path)
    if table.identities is None:
        raise DataError(f"{path}: the table does not know whom its faces show; make it with embed --crops")
    if embedder is not None and table.model != embedder.spec.sha256:
        raise DataError(
            f"{path}: embedded by model {table.model[:8]}, not by {embedder.spec.label}; leave --model out"
        )
    names = np.array(table.identities, object).astype(str)[table.photo_idx]
    return _faces(path, np.asarray(table.embedding), names)


def _from_npz(path: Path) -> HoldoutFaces:
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
    return _faces(path, rows, labels)


def _faces(path: Path, rows: NDArray[np.float32], labels: NDArray[np.generic]) -> HoldoutFaces:
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
    return HoldoutFaces(rows, numbers.astype(np.int64), tuple(map(str, names)))
