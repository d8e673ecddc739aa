"""A gallery in forms that other programs read: CSV and JSON of its faces, .npz with their templates."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import GalleryError, InputError
from facespace.gallery.gallery import EnrolledFace, Gallery
from facespace.gallery.uses import model_in_use
from facespace.saved_files import written_beside

__all__ = ["EXPORTS", "export"]

COLUMNS = ("face_id", "subject", "photo", "photo_sha256", "x0", "y0", "x1", "y1", "score", "quality", "model")


def export(gallery: Gallery, path: Path) -> int:
    """Write all faces to ``path`` in the form that its ending names; it is replaced once the new file is whole.

    Of each face its template by the gallery's model counts, else the newest that may meet it, as in a search. CSV and
    JSON say of which model it is; `.npz` holds it: `embedding` (N, D) int8, `labels` (the subjects' names), `face_id`,
    `model` (sha256), `quality`, `photos`, which `facespace measure` reads too.

    Returns:
        how many faces were written.

    Raises:
        InputError: another ending.
        GalleryError: nobody is enrolled.
        WriteError: the file cannot be written.
    """
    write = EXPORTS.get(path.suffix.lower())
    if write is None:
        raise InputError(f"{path}: expected a name that ends in {', '.join(EXPORTS)}")
    with gallery.database.snapshot():
        faces = list(gallery.faces())
        models, vectors = _templates(gallery)
    faces = [face for face in faces if face.face_id in models]
    with written_beside(path, private=True) as partial:
        write(partial, faces, models, vectors)
    return len(faces)


Models = dict[int, str]
Vectors = dict[int, NDArray[np.int8]]


def _templates(gallery: Gallery) -> tuple[Models, Vectors]:
    """The model and the template of each face that counts, by face id."""
    now = model_in_use(gallery)
    if now is None:
        raise GalleryError(f"{gallery.database.path}: expected a gallery with faces, nobody is enrolled yet")
    models: Models = {}
    vectors: Vectors = {}
    for spec in gallery.templates.comparable(now.spec):
        for batch in gallery.templates.batches(model=spec.sha256):
            for number, vector in zip(batch.face_id.tolist(), batch.vectors, strict=True):
                models.setdefault(number, spec.sha256)
                vectors.setdefault(number, vector)
    return models, vectors


def _row(face: EnrolledFace, models: Models) -> list[Any]:
    box = face.box_xyxy or (None,) * 4
    return [
        face.face_id, face.subject, face.photo, face.photo_sha256, *box, face.score, face.quality,
        models[face.face_id],
    ]  # fmt: skip


def _write_csv(path: Path, faces: list[EnrolledFace], models: Models, _: Vectors) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_row(face, models) for face in faces)


def _write_json(path: Path, faces: list[EnrolledFace], models: Models, _: Vectors) -> None:
    document = {"faces": [dict(zip(COLUMNS, _row(face, models), strict=True)) for face in faces]}
    # Bytes of file names that are no text stand as escapes, which JSON has.
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _write_npz(path: Path, faces: list[EnrolledFace], models: Models, vectors: Vectors) -> None:
    quality = [np.nan if face.quality is None else face.quality for face in faces]
    rows = [vectors[face.face_id] for face in faces]
    with path.open("wb") as file:
        np.savez(
            file,
            embedding=np.stack(rows) if rows else np.zeros((0, 0), np.int8),
            labels=np.array([face.subject for face in faces], str),
            face_id=np.array([face.face_id for face in faces], np.int64),
            model=np.array([models[face.face_id] for face in faces], str),
            quality=np.array(quality, np.float32),
            photos=np.array([face.photo for face in faces], str),
        )


Writer = Callable[[Path, list[EnrolledFace], Models, Vectors], None]
EXPORTS: dict[str, Writer] = {".csv": _write_csv, ".json": _write_json, ".npz": _write_npz}
