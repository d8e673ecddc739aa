"""A gallery in forms that other programs read: CSV and JSON of its faces, .npz with their templates."""

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.gallery.roster import EnrolledFace, Roster
from facespace.gallery.uses import current_spec
from facespace.saved_files import written_beside
from facespace.spreadsheets import check_formulas, text_cells

COLUMNS = ("face_id", "subject", "photo", "photo_sha256", "x0", "y0", "x1", "y1", "score", "quality", "model")


def export(roster: Roster, path: Path, *, formulas: str = "names") -> int:
    """See `Gallery.export`."""
    write = EXPORTS.get(path.suffix.lower())
    if write is None:
        raise InputError(f"{path}: expected a name that ends in {', '.join(EXPORTS)}")
    check_formulas(formulas)
    with roster.snapshot():
        faces = list(roster.faces())
        models, vectors = _templates(roster)
    faces = [face for face in faces if face.face_id in models]
    with written_beside(path, private=True) as partial:
        write(partial, _Contents(faces, models, vectors, formulas))
    return len(faces)


Models = dict[int, str]
Vectors = dict[int, NDArray[np.int8]]


@dataclass(frozen=True)
class _Contents:
    """What is written: faces, the model and template of each by face id, and which cells are made text."""

    faces: list[EnrolledFace]
    models: Models
    vectors: Vectors
    formulas: str


def _templates(roster: Roster) -> tuple[Models, Vectors]:
    """The model and the template of each face that counts, by face id."""
    spec = current_spec(roster)
    models: Models = {}
    vectors: Vectors = {}
    for pair in roster.templates.comparable(spec):
        for batch in roster.templates.batches(model=pair.stored.sha256):
            for number, vector in zip(batch.face_id.tolist(), batch.vectors, strict=True):
                models.setdefault(number, batch.model)
                vectors.setdefault(number, vector)
    return models, vectors


def _row(face: EnrolledFace, models: Models) -> list[Any]:
    box = face.box_xyxy or (None,) * 4
    return [
        face.face_id, face.subject, face.photo, face.photo_sha256, *box, face.score, face.quality,
        models[face.face_id],
    ]  # fmt: skip


def _write_csv(path: Path, of: _Contents) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for face in of.faces:
            writer.writerow(text_cells(COLUMNS, _row(face, of.models), of.formulas, names=("subject",)))


def _write_json(path: Path, of: _Contents) -> None:
    document = {"faces": [dict(zip(COLUMNS, _row(face, of.models), strict=True)) for face in of.faces]}
    # Bytes of file names that are no text stand as escapes, which JSON has.
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _write_npz(path: Path, of: _Contents) -> None:
    faces = of.faces
    quality = [np.nan if face.quality is None else face.quality for face in faces]
    rows = [of.vectors[face.face_id] for face in faces]
    with path.open("wb") as file:
        np.savez(
            file,
            embedding=np.stack(rows) if rows else np.zeros((0, 0), np.int8),
            labels=np.array([face.subject for face in faces], str),
            face_id=np.array([face.face_id for face in faces], np.int64),
            model=np.array([of.models[face.face_id] for face in faces], str),
            quality=np.array(quality, np.float32),
            photos=np.array([face.photo for face in faces], str),
        )


EXPORTS: dict[str, Callable[[Path, _Contents], None]] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".npz": _write_npz,
}
