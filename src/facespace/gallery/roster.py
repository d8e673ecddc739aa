"""The rows of a gallery: its subjects, their faces, and the templates of these, in one file."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import GalleryError
from facespace.gallery.schema import GALLERY_FILE
from facespace.store import (
    Database,
    SqliteTemplates,
    clean_name,
    name_key,
    path_in,
    path_out,
    shown_name,
    taken_by,
)
from facespace.table import FaceTable

__all__ = ["EnrolledFace", "Roster", "Subject"]

FACES = (
    "SELECT face_id, name, photo, photo_sha256, x0, y0, x1, y1, landmarks, score, faces.quality"
    " FROM faces JOIN subjects USING (subject_id)"
)
# SQLite takes so many values in one statement, in every build.
VALUES_AT_ONCE = 500


@dataclass(frozen=True)
class Subject:
    """A person of a gallery.

    Attributes:
        subject_id: stable, never used again.
        name: unique in the gallery.
        n_faces: enrolled, 0 or more.
    """

    subject_id: int
    name: str
    n_faces: int


@dataclass(frozen=True)
class EnrolledFace:
    """A face of a subject, with what is needed to embed it again from its photo.

    Attributes:
        face_id: stable.
        subject: name.
        photo: its path as given at enrolment.
        photo_sha256: of its content.
        box_xyxy: pixels of the upright photo; None for a ready crop.
        landmarks_xy: the five points, likewise.
        score: the detector's; None for a ready crop.
        quality: in [0, 1]; None where it is not known.
    """

    face_id: int
    subject: str
    photo: str
    photo_sha256: str
    box_xyxy: tuple[float, float, float, float] | None
    landmarks_xy: tuple[tuple[float, float], ...] | None
    score: float | None
    quality: float | None


class Roster:
    """An open gallery file, row by row; `Gallery` is what others use of it.

    Args:
        path: the file; made, for its owner alone, if absent.
        create: False makes an absent file an error.

    Raises:
        GalleryError: the file cannot be opened, is no gallery, of a newer version, or damaged.

    Attributes:
        database: the file.
        templates: the store of all faces' templates.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.database = Database(path, GALLERY_FILE, create=create)
        self.templates = SqliteTemplates(self.database)

    @property
    def path(self) -> Path:
        """Of the file."""
        return self.database.path

    def subjects(self, *, after: str = "", limit: int | None = None) -> list[Subject]:
        """Everybody, by name; or those whose names come after one, at most so many."""
        rows = self.rows(
            "SELECT subject_id, name, (SELECT count(*) FROM faces WHERE faces.subject_id = subjects.subject_id)"
            " AS n_faces FROM subjects WHERE name > ? ORDER BY name LIMIT ?",
            (after, -1 if limit is None else limit),
        )
        return [Subject(row["subject_id"], row["name"], row["n_faces"]) for row in rows]

    def find(self, name: str) -> tuple[int, str] | None:
        """The id of the subject of that name, or of one that looks like it, and the name as it is kept."""
        rows = self.rows("SELECT subject_id, name FROM subjects WHERE name_key = ?", (name_key(name),))
        return taken_by(name, [(row["subject_id"], row["name"]) for row in rows])

    def known(self, name: str) -> tuple[int, str]:
        """Likewise.

        Raises:
            GalleryError: nobody of that name.
        """
        found = self.find(name)
        if found is None:
            raise GalleryError(
                f"{self.path}: expected a subject of the gallery, nobody is called {shown_name(name)}"
            )
        return found

    def add_subject(self, name: str) -> int:
        """The id of the subject of that name, who is added if there is none.

        Raises:
            InputError: no name.
            GalleryError: the file cannot be written.
        """
        with self.database.transaction() as connection:
            found = self.find(name)
            if found is not None:
                return found[0]
            clean = clean_name(name)
            cursor = connection.execute(
                "INSERT INTO subjects (name, name_key) VALUES (?, ?)", (clean, name_key(clean))
            )
            return int(cursor.lastrowid or 0)

    def faces(self) -> Iterator[EnrolledFace]:
        """All faces, by subject's name and face id; the gallery may be written meanwhile."""
        for subject in self.subjects():
            yield from self.faces_of(subject.subject_id)

    def faces_of(self, subject_id: int) -> list[EnrolledFace]:
        """The faces of a subject, by id."""
        return [
            _enrolled(row)
            for row in self.rows(f"{FACES} WHERE subject_id = ? ORDER BY face_id", (subject_id,))
        ]

    def page_of_faces(
        self, *, after: int = -1, limit: int, subject_id: int | None = None
    ) -> list[EnrolledFace]:
        """Faces with later ids, by id, of all subjects or of one."""
        where = "face_id > ?" if subject_id is None else "face_id > ? AND subject_id = ?"
        values = [after] if subject_id is None else [after, subject_id]
        rows = self.rows(f"{FACES} WHERE {where} ORDER BY face_id LIMIT ?", [*values, limit])
        return [_enrolled(row) for row in rows]

    def count(self) -> tuple[int, int]:
        """How many subjects and faces there are."""
        row = self.rows("SELECT (SELECT count(*) FROM subjects) AS s, (SELECT count(*) FROM faces) AS f")[0]
        return row["s"], row["f"]

    def find_faces(self, face_id: Sequence[int] | NDArray[np.int64]) -> dict[int, EnrolledFace]:
        """Those of the faces that are there, by their ids."""
        return {row["face_id"]: _enrolled(row) for row in self._rows_of(f"{FACES} WHERE face_id", face_id)}

    def names_of(self, subject_id: NDArray[np.int64]) -> dict[int, str]:
        """The names of subjects by their ids."""
        rows = self._rows_of("SELECT subject_id, name FROM subjects WHERE subject_id", subject_id)
        return {row["subject_id"]: row["name"] for row in rows}

    def faces_from(self, photo: str | Path) -> list[int]:
        """The ids of the faces of a photo, by its path as it is listed or from the current folder."""
        paths = (path_in(str(photo)), path_in(str(Path(photo).absolute())))
        return [row["face_id"] for row in self.rows("SELECT face_id FROM faces WHERE photo IN (?, ?)", paths)]

    def subjects_of_faces(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The ids of all faces, increasing, and of the subject of each."""
        rows = self.database.connection.execute("SELECT face_id, subject_id FROM faces ORDER BY face_id")
        faces, subjects = np.array(rows.fetchall(), np.int64).reshape(-1, 2).T
        return faces, subjects

    def add_faces(self, faces: FaceTable, names: Sequence[str]) -> int:
        """Keep faces without templates; returns how many were new.

        Raises:
            GalleryError: a face is enrolled for someone else, or the file cannot be written.
        """
        with self.database.transaction():
            owners = {name: self.add_subject(name) for name in dict.fromkeys(names)}
            return sum(
                self._add_face(row, owners[name], name)
                for row, name in zip(_columns(faces), names, strict=True)
            )

    def _add_face(self, row: tuple[Any, ...], subject_id: int, name: str) -> bool:
        """Whether the face is new."""
        there = self.rows(
            "SELECT subject_id, name FROM faces JOIN subjects USING (subject_id) WHERE face_id = ?", row[:1]
        )
        if not there:
            self.database.connection.execute(
                "INSERT INTO faces"
                " (face_id, subject_id, photo, photo_sha256, x0, y0, x1, y1, landmarks, score, quality)"
                f" VALUES ({', '.join('?' * 11)})",
                (row[0], subject_id, *row[1:]),
            )
        elif there[0]["subject_id"] != subject_id:
            raise GalleryError(
                f"face {row[0]} of {path_out(row[1])}: expected a new face or one of {name}, it is enrolled for "
                f"{there[0]['name']}; remove it there first"
            )
        return not there

    def remove_faces(self, face_id: Sequence[int] | NDArray[np.int64]) -> int:
        """Drop faces with their templates; subjects stay. Returns how many there were.

        Raises:
            GalleryError: the file cannot be written.
        """
        ids = np.asarray(face_id, np.int64)
        with self.database.transaction() as connection:
            self.templates.remove(ids)
            cursor = connection.executemany(
                "DELETE FROM faces WHERE face_id = ?", [(i,) for i in ids.tolist()]
            )
            return max(0, cursor.rowcount)

    def remove_subject(self, name: str) -> int:
        """Drop a subject with faces and templates; returns the number of faces.

        Raises:
            GalleryError: nobody of that name, or the file cannot be written.
        """
        with self.database.transaction() as connection:
            subject_id, _ = self.known(name)
            n = self.remove_faces([face.face_id for face in self.faces_of(subject_id)])
            connection.execute("DELETE FROM subjects WHERE subject_id = ?", (subject_id,))
        return n

    def _rows_of(self, sql: str, ids: Sequence[int] | NDArray[np.int64]) -> Iterator[sqlite3.Row]:
        """The rows of a question that ends with the column of these ids."""
        wanted = np.unique(np.asarray(ids, np.int64)).tolist()
        for start in range(0, len(wanted), VALUES_AT_ONCE):
            some = wanted[start : start + VALUES_AT_ONCE]
            yield from self.rows(f"{sql} IN ({', '.join('?' * len(some))})", some)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows of a question, by name."""
        cursor = self.database.connection.execute(sql, values)
        cursor.row_factory = sqlite3.Row
        return cursor.fetchall()


def _columns(faces: FaceTable) -> Iterator[tuple[Any, ...]]:
    """A face's columns but for the subject; SQLite keeps nan as null."""
    for i in range(len(faces)):
        photo, landmarks = int(faces.photo_idx[i]), faces.landmarks_xy[i]
        yield (
            int(faces.face_id[i]), path_in(faces.photos[photo]), faces.photo_sha256[photo],
            *faces.box_xyxy[i].tolist(), None if np.isnan(landmarks).any() else landmarks.astype("<f4").tobytes(),
            float(faces.score[i]), float(faces.quality[i]),
        )  # fmt: skip


def _enrolled(row: sqlite3.Row) -> EnrolledFace:
    box = (row["x0"], row["y0"], row["x1"], row["y1"])
    points = (
        None if row["landmarks"] is None else np.frombuffer(row["landmarks"], "<f4").reshape(5, 2).tolist()
    )
    return EnrolledFace(
        row["face_id"], row["name"], path_out(row["photo"]), row["photo_sha256"],
        None if box[0] is None else box, None if points is None else tuple((x, y) for x, y in points),
        row["score"], row["quality"],
    )  # fmt: skip
