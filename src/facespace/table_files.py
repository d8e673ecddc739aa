"""The files of a FaceTable: a manifest that names shards, a shard with a file a column, and a lock for who writes."""

import json
import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError, WriteError
from facespace.saved_files import make_folder, try_lock, written_beside

FORMAT_VERSION = 2  # 1 has no columns of videos
MANIFEST = "manifest.json"


def lock_folder(folder: Path) -> ExitStack:
    """Keep other writers out of a folder, which is made if absent, until the block ends or `close` is called.

    The lock goes with the process. Where folders cannot be locked nobody is kept out.

    Raises:
        DataError: another one keeps us out.
        WriteError: the folder cannot be made.
    """
    held = ExitStack()
    try:
        make_folder(folder, private=True)
    except OSError as error:
        raise WriteError(folder, error) from error
    if sys.platform == "win32":
        return held
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    held.callback(os.close, opened)
    if not try_lock(opened):
        held.close()
        raise DataError(
            f"{folder}: another run is writing to this folder; wait for its end, or name another folder"
        )
    return held


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a table says of itself: `format`, `model`, `shards` and perhaps `detector`.

    Raises:
        DataError: no table there, or one of a newer version.
    """
    manifest = _read_json(folder / MANIFEST)
    names = manifest.get("shards")
    if not (
        isinstance(manifest.get("format"), int)
        and isinstance(manifest.get("model"), str)
        and isinstance(names, list)
        and all(isinstance(name, str) and name.isascii() and name.isdigit() for name in names)
        and len(set(names)) == len(names)
    ):
        raise DataError(f"{folder}: expected a FaceTable, its manifest says nothing of one")
    if manifest["format"] > FORMAT_VERSION:
        raise DataError(f"{folder}: a FaceTable of format {manifest['format']}, known up to {FORMAT_VERSION}")
    return manifest


def read_photos(folder: Path, name: str) -> dict[str, Any]:
    """`photos`, `photo_sha256` and `identities` (perhaps None) of a shard.

    Raises:
        DataError: it is damaged.
    """
    document = _read_json(folder / name / "photos.json")
    lists = [document.get(key) for key in ("photos", "photo_sha256", "identities")]
    texts = [all(isinstance(text, str) for text in found) for found in lists if isinstance(found, list)]
    if not (
        all(texts) and len(texts) >= 2 and len({len(found) for found in lists if found is not None}) == 1
    ):
        raise DataError(f"{folder}: the FaceTable is damaged: {name}/photos.json does not list its photos")
    return document


def load_array(folder: Path, name: str, column: str, *, mapped: bool = False) -> NDArray[Any]:
    """A column of a shard; ``mapped`` leaves it on the disk until it is used.

    Raises:
        DataError: it is damaged.
    """
    try:
        return np.asarray(np.load(folder / name / f"{column}.npy", mmap_mode="r" if mapped else None))
    except Exception as error:  # of many kinds, for a damaged header
        raise DataError(f"{folder}: the FaceTable is damaged: {name}/{column}.npy: {error}") from error


def has_array(folder: Path, name: str, column: str) -> bool:
    """Whether a shard has that column."""
    return (folder / name / f"{column}.npy").exists()


def write_shard(folder: Path, name: str, columns: dict[str, NDArray[Any]], photos: dict[str, Any]) -> None:
    """A shard in one step.

    Raises:
        WriteError: the disk is full, or does not let us write there.
    """
    shutil.rmtree(folder / name, ignore_errors=True)  # of a run that was killed before the manifest
    with written_beside(folder / name, private=True, folder=True) as partial:
        for column, values in columns.items():
            np.save(partial / f"{column}.npy", values)
        (partial / "photos.json").write_text(json.dumps(photos), encoding="utf-8")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path.parent}: expected a FaceTable, cannot read {path.name}: {reason}") from error
    if not isinstance(document, dict):
        raise DataError(f"{path.parent}: expected a FaceTable, {path.name} says nothing of one")
    return document
