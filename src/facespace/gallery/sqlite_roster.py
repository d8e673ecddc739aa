"""The roster of a gallery in one SQLite file, with the templates of its faces."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.gallery.roster import EnrolledFace, Entry, Roster, Subject, owned_by_another
from facespace.gallery.schema import GALLERY_FILE
from facespace.gallery.subject_index import SubjectIndex
from facespace.gallery.uses import model_in_use
from facespace.models import ModelSpec
from facespace.store import (
    Census,
    Database,
    IndexSettings,
    OnStep,
    Prototypes,
    SqliteTemplates,
    clean_name,
    name_key,
    path_in,
    path_out,
    taken_by,
)
from facespace.table import FaceTable

FACES = (
    "SELECT face_id, name, photo, photo_sha256, x0, y0, x1, y1, landmarks, score, faces.quality"
    " FROM faces JOIN subjects USING (subject_id)"
)
LEFT_IN_LOG = "open in another program; the deleted data leaves its log when the last one closes it"


class SqliteRoster(Roster):
    """A `Roster` in an open file; everything in a transaction is all there or none of it.

    Args:
        path: the file; made, for its owner alone, if absent.
        create: False makes an absent file an error.

    Raises:
        GalleryError: the file cannot be opened, is no gallery, of a newer version, or damaged.

    Attributes:
        database: the file.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.database = Database(path, GALLERY_FILE, create=create)
        self.templates: SqliteTemplates = SqliteTemplates(self.database)
        self._prototypes = SubjectIndex(self.database, self.templates)

    @property
    def place(self) -> Path:
        """See `Roster.place`."""
        return self.database.path

    def snapshot(self) -> AbstractContextManager[object]:
        """See `Roster.snapshot`."""
        return self.database.snapshot()

    def transaction(self) -> AbstractContextManager[object]:
        """See `Roster.transaction`."""
        return self.database.transaction()

    def close(self, error: BaseException | None = None) -> None:
        """See `Roster.close`."""
        self.database.close(error)

    def subjects(self, *, after: str = "", limit: int | None = None) -> list[Subject]:
        """See `Roster.subjects`."""
        rows = self.rows(
            "SELECT subject_id, name, (SELECT count(*) FROM faces WHERE faces.subject_id = subjects.subject_id)"
            " AS n_faces FROM subjects WHERE name > ? ORDER BY name LIMIT ?",
            (after, -1 if limit is None else limit),
        )
        return [Subject(row["subject_id"], row["name"], row["n_faces"]) for row in rows]

    def find(self, name: str) -> tuple[int, str] | None:
        """See `Roster.find`."""
        rows = self.rows("SELECT subject_id, name FROM subjects WHERE name_key = ?", (name_key(name),))
        return taken_by(name, [(row["subject_id"], row["name"]) for row in rows])

    def add_subject(self, name: str) -> int:
        """See `Roster.add_subject`."""
        with self.database.transaction() as connection:
            found = self.find(name)
            if found is not None:
                return found[0]
            clean = clean_name(name)
            cursor = connection.execute(
                "INSERT INTO subjects (name, name_key) VALUES (?, ?)", (clean, name_key(clean))
            )
            return int(cursor.lastrowid or 0)

    def faces_of(self, subject_id: int) -> list[EnrolledFace]:
        """See `Roster.faces_of`."""
        return [
            _enrolled(row)
            for row in self.rows(f"{FACES} WHERE subject_id = ? ORDER BY face_id", (subject_id,))
        ]

    def find_faces(self, face_id: Sequence[int] | NDArray[np.int64]) -> dict[int, EnrolledFace]:
        """See `Roster.find_faces`."""
        return {row["face_id"]: _enrolled(row) for row in self._rows_of(f"{FACES} WHERE face_id", face_id)}

    def names_of(self, subject_id: NDArray[np.int64]) -> dict[int, str]:
        """See `Roster.names_of`."""
        rows = self._rows_of("SELECT subject_id, name FROM subjects WHERE subject_id", subject_id)
        return {row["subject_id"]: row["name"] for row in rows}

    def faces_from(self, photo: str | Path) -> list[int]:
        """See `Roster.faces_from`."""
        paths = (path_in(str(photo)), path_in(str(Path(photo).absolute())))
        return [row["face_id"] for row in self.rows("SELECT face_id FROM faces WHERE photo IN (?, ?)", paths)]

    def subjects_of_faces(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """See `Roster.subjects_of_faces`."""
        rows = self.database.connection.execute("SELECT face_id, subject_id FROM faces ORDER BY face_id")
        faces, subjects = np.array(rows.fetchall(), np.int64).reshape(-1, 2).T
        return faces, subjects

    def rename(self, name: str, to: str) -> None:
        """See `Roster.rename`."""
        with self.database.transaction() as connection:
            (subject_id, _), clean = self.known(name), clean_name(to)
            there = self.find(clean)
            if there is not None and there[0] != subject_id:
                connection.execute(
                    "UPDATE faces SET subject_id = ? WHERE subject_id = ?", (there[0], subject_id)
                )
                connection.execute("DELETE FROM subjects WHERE subject_id = ?", (subject_id,))
            else:
                connection.execute(
                    "UPDATE subjects SET name = ?, name_key = ? WHERE subject_id = ?",
                    (clean, name_key(clean), subject_id),
                )

    def add_faces(self, faces: FaceTable, names: Sequence[str]) -> int:
        """See `Roster.add_faces`."""
        with self.database.transaction() as connection:
            owners = {name: self.add_subject(name) for name in dict.fromkeys(names)}
            there = self._subjects_of(faces.face_id)
            new = []
            for row, name in zip(_columns(faces), names, strict=True):
                number, owner = row[0], owners[name]
                if number not in there:
                    there[number] = owner
                    new.append((number, owner, *row[1:]))
                elif there[number] != owner:
                    other = self.names_of(np.array([there[number]]))[there[number]]
                    raise owned_by_another(number, path_out(row[1]), name, other)
            connection.executemany(
                "INSERT INTO faces"
                " (face_id, subject_id, photo, photo_sha256, x0, y0, x1, y1, landmarks, score, quality)"
                f" VALUES ({', '.join('?' * 11)})",
                new,
            )
        return len(new)

    def _subjects_of(self, face_id: NDArray[np.int64]) -> dict[int, int]:
        """The subject of each of the faces that are there."""
        if not self.rows("SELECT 1 FROM faces LIMIT 1"):
            return {}
        rows = self._rows_of("SELECT face_id, subject_id FROM faces WHERE face_id", face_id)
        return {row["face_id"]: row["subject_id"] for row in rows}

    def remove_faces(self, face_id: Sequence[int] | NDArray[np.int64]) -> int:
        """See `Roster.remove_faces`."""
        ids = np.asarray(face_id, np.int64)
        with self.database.transaction() as connection:
            self.templates.remove(ids)
            cursor = connection.executemany(
                "DELETE FROM faces WHERE face_id = ?", [(i,) for i in ids.tolist()]
            )
            return max(0, cursor.rowcount)

    def remove_subject(self, name: str) -> int:
        """See `Roster.remove_subject`."""
        with self.database.transaction() as connection:
            subject_id, _ = self.known(name)
            n = self.remove_faces([face.face_id for face in self.faces_of(subject_id)])
            connection.execute("DELETE FROM subjects WHERE subject_id = ?", (subject_id,))
        return n

    def page_of_faces(
        self, *, after: int = -1, limit: int, subject_id: int | None = None
    ) -> list[EnrolledFace]:
        """See `Roster.page_of_faces`."""
        where = "face_id > ?" if subject_id is None else "face_id > ? AND subject_id = ?"
        values = [after] if subject_id is None else [after, subject_id]
        rows = self.rows(f"{FACES} WHERE {where} ORDER BY face_id LIMIT ?", [*values, limit])
        return [_enrolled(row) for row in rows]

    def count(self) -> tuple[int, int]:
        """See `Roster.count`."""
        row = self.rows("SELECT (SELECT count(*) FROM subjects) AS s, (SELECT count(*) FROM faces) AS f")[0]
        return row["s"], row["f"]

    def by_quality(self) -> list[EnrolledFace]:
        """See `Roster.by_quality`."""
        rows = self.rows(f"{FACES} ORDER BY coalesce(faces.quality, -1) DESC, face_id")
        return [_enrolled(row) for row in rows]

    def enrolled(self, photo_sha256: Sequence[str], model: str) -> set[tuple[str, str]]:
        """See `Roster.enrolled`."""
        rows = self.rows(
            "SELECT photo_sha256, name_key FROM faces JOIN subjects USING (subject_id)"
            " JOIN templates USING (face_id) JOIN models USING (model_id)"
            " WHERE sha256 = ? AND photo_sha256 IN (SELECT value FROM json_each(?))",
            (model, json.dumps(list(photo_sha256))),
        )
        return {(row["photo_sha256"], row["name_key"]) for row in rows}

    def moved(self, face_id: Sequence[int], photo: str | Path) -> None:
        """See `Roster.moved`."""
        where = path_in(str(photo))
        with self.database.transaction() as connection:
            connection.executemany(
                "UPDATE faces SET photo = ? WHERE face_id = ? AND photo != ?",
                [(where, i, where) for i in face_id],
            )

    def prototypes(self, probes: NDArray[np.int8], spec: ModelSpec) -> tuple[tuple[Prototypes, ...], Census]:
        """See `Roster.prototypes`; all of them, kept in memory and followed as the file changes."""
        sets = self._prototypes.of(spec)
        return sets, Census.of(sets)

    def history(self) -> list[Entry]:
        """See `Roster.history`."""
        with self.database.snapshot():
            specs = {spec.sha256: spec for spec in self.templates.models()}
            rows = self.rows(
                "SELECT moment, action, sha256, file, n_templates FROM history JOIN models USING (model_id)"
                " ORDER BY entry_id"
            )
        return [
            Entry(r["moment"], r["action"], specs[r["sha256"]], r["file"], r["n_templates"]) for r in rows
        ]

    def note(self, entry: Entry) -> None:
        """See `Roster.note`."""
        with self.database.transaction() as connection:
            connection.execute(
                "INSERT INTO history (moment, action, model_id, file, n_templates)"
                " SELECT ?, ?, model_id, ?, ? FROM models WHERE sha256 = ?",
                (entry.moment, entry.action, entry.file, entry.n_templates, entry.spec.sha256),
            )

    def erase(self) -> str:
        """See `Roster.erase`: deleted bytes were overwritten; the log of writes and the kept file of an earlier
        version go, and what the index beside it holds of them."""
        self.database.drop_kept()
        from_index = self.templates.indexes.overwrite_removed()
        self._renew_prototypes(only_there=True)
        return "" if self.database.checkpoint() and from_index else LEFT_IN_LOG

    @property
    def index_settings(self) -> IndexSettings:
        """See `Roster.index_settings`."""
        return self.templates.indexes.settings

    def set_index(self, settings: IndexSettings) -> None:
        """See `Roster.set_index`."""
        self.templates.indexes.set(settings)

    def refresh_index(self, *, again: bool = False, on_step: OnStep | None = None) -> bool:
        """See `Gallery.refresh_index`."""
        is_free = self.templates.indexes.refresh(again=again, on_step=on_step)
        if is_free and not self.database.read_only:
            self._renew_prototypes()
        return is_free

    def _renew_prototypes(self, *, only_there: bool = False) -> None:
        now = model_in_use(self)
        if now is not None:
            self._prototypes.renew(now.spec, only_there=only_there)

    def problems(self) -> tuple[str, ...]:
        """See `Roster.problems`."""
        return self.database.problems() or self.templates.problems()

    def backup(self, path: Path) -> None:
        """See `Database.backup`."""
        self.database.backup(path)

    def _rows_of(self, sql: str, ids: Sequence[int] | NDArray[np.int64]) -> list[sqlite3.Row]:
        """The rows of a question that ends with the column of these ids."""
        wanted = json.dumps(np.unique(np.asarray(ids, np.int64)).tolist())
        return self.rows(f"{sql} IN (SELECT value FROM json_each(?))", (wanted,))

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """The rows of a question, by name."""
        cursor = self.database.connection.execute(sql, values)
        cursor.row_factory = sqlite3.Row
        return cursor.fetchall()


def _columns(faces: FaceTable) -> Iterator[tuple[Any, ...]]:
    """A face's columns but for the subject; SQLite keeps nan as null."""
    points = faces.landmarks_xy.reshape(len(faces), 10).astype("<f4")
    has_points = ~np.isnan(points).any(axis=1)
    columns = (
        faces.face_id.tolist(), faces.photo_idx.tolist(), faces.box_xyxy.tolist(), points, has_points.tolist(),
        faces.score.tolist(), faces.quality.tolist(),
    )  # fmt: skip
    for number, photo, box, five, has_five, score, quality in zip(*columns, strict=True):
        landmarks = five.tobytes() if has_five else None
        yield number, path_in(faces.photos[photo]), faces.photo_sha256[photo], *box, landmarks, score, quality


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
