"""A gallery in forms that other programs read: CSV and JSON of its faces, .npz with their templates."""

import csv
import json
from collections.abc import Callable
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
# A face with the model and the template of it that count.
Row = tuple[EnrolledFace, str, NDArray[np.int8]]


def export(roster: Roster, path: Path, *, formulas: str = "names") -> int:
    """See `Gallery.export`."""
    write = EXPORTS.get(path.suffix.lower())
    if write is None:
        raise InputError(f"{path}: expected a name that ends in {', '.join(EXPORTS)}")
    check_formulas(formulas)
    with roster.snapshot():
        faces, templates = list(roster.faces()), _templates(roster)
    rows = [(face, *templates[face.face_id]) for face in faces if face.face_id in templates]
    with written_beside(path, private=True) as partial:
        write(partial, rows, formulas)
    return len(rows)


def _templates(roster: Roster) -> dict[int, tuple[str, NDArray[np.int8]]]:
    """The model and the template of each face that counts, by face id."""
    found: dict[int, tuple[str, NDArray[np.int8]]] = {}
    for pair in roster.templates.comparable(current_spec(roster)):
        for batch in roster.templates.batches(model=pair.stored.sha256):
            for number, vector in zip(batch.face_id.tolist(), batch.vectors, strict=True):
                found.setdefault(number, (batch.model, vector))
    return found


def _cells(face: EnrolledFace, model: str) -> list[Any]:
    box = face.box_xyxy or (None,) * 4
    return [face.face_id, face.subject, face.photo, face.photo_sha256, *box, face.score, face.quality, model]


def _write_csv(path: Path, rows: list[Row], formulas: str) -> None:
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for face, model, _ in rows:
            writer.writerow(text_cells(COLUMNS, _cells(face, model), formulas, names=("subject",)))


def _write_json(path: Path, rows: list[Row], formulas: str) -> None:
    faces = [dict(zip(COLUMNS, _cells(face, model), strict=True)) for face, model, _ in rows]
    # Bytes of file names that are no text stand as escapes, which JSON has.
    path.write_text(json.dumps({"faces": faces}, indent=1) + "\n", encoding="utf-8")


def _write_npz(path: Path, rows: list[Row], formulas: str) -> None:
    faces, models, vectors = zip(*rows, strict=True) if rows else ((), (), ())
    with path.open("wb") as file:
        np.savez(
            file,
            embedding=np.stack(vectors) if rows else np.zeros((0, 0), np.int8),
            labels=np.array([face.subject for face in faces], str),
            face_id=np.array([face.face_id for face in faces], np.int64),
            model=np.array(models, str),
            quality=np.array([face.quality for face in faces], np.float32),  # None becomes nan
            photos=np.array([face.photo for face in faces], str),
        )


EXPORTS: dict[str, Callable[[Path, list[Row], str], None]] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".npz": _write_npz,
}
