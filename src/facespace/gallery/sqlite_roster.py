"""The roster of a gallery in one SQLite file, with the templates of its faces."""

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.gallery.roster import EnrolledFace, Entry, Roster, Subject
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
    name_key,
    path_in,
    path_out,
    taken_by,
)
from facespace.table import FaceTable

FACES = "faces JOIN subjects USING (subject_id)"
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

    def close(self, error: BaseException | None = None) -> None:
        """See `Roster.close`."""
        self.database.close(error)

    def subjects(self, *, after: str = "", limit: int | None = None) -> list[Subject]:
        """See `Roster.subjects`."""
        rows = self.database.rows(
            "SELECT subject_id, name, (SELECT count(*) FROM faces WHERE faces.subject_id = subjects.subject_id)"
            " AS n_faces FROM subjects WHERE name > ? ORDER BY name LIMIT ?",
            (after, -1 if limit is None else limit),
        )
        return [Subject(row["subject_id"], row["name"], row["n_faces"]) for row in rows]

    def find_all(self, names: Sequence[str]) -> dict[str, tuple[int, str]]:
        """See `Roster.find_all`."""
        keys = {name: name_key(name) for name in names}
        alike: dict[str, list[tuple[int, str]]] = {}
        for row in self._rows_of("subjects", "name_key", set(keys.values())):
            alike.setdefault(row["name_key"], []).append((row["subject_id"], row["name"]))
        found = {name: taken_by(name, alike.get(key, ())) for name, key in keys.items()}
        return {name: one for name, one in found.items() if one is not None}

    def names_of(self, subject_id: NDArray[np.int64]) -> dict[int, str]:
        """See `Roster.names_of`."""
        rows = self._rows_of("subjects", "subject_id", set(subject_id.tolist()))
        return {row["subject_id"]: row["name"] for row in rows}

    def count(self) -> tuple[int, int]:
        """See `Roster.count`."""
        (counts,) = self.database.rows("SELECT (SELECT count(*) FROM subjects), (SELECT count(*) FROM faces)")
        return counts[0], counts[1]

    def page_of_faces(
        self, *, after: int = -1, limit: int | None = None, subject_id: int | None = None
    ) -> list[EnrolledFace]:
        """See `Roster.page_of_faces`."""
        where, values = ("", []) if subject_id is None else (" AND subject_id = ?", [subject_id])
        rows = self.database.rows(
            f"SELECT * FROM {FACES} WHERE face_id > ?{where} ORDER BY face_id LIMIT ?",
            [after, *values, -1 if limit is None else limit],
        )
        return [_enrolled(row) for row in rows]

    def find_faces(self, face_id: Sequence[int] | NDArray[np.int64]) -> dict[int, EnrolledFace]:
        """See `Roster.find_faces`."""
        rows = self._rows_of(FACES, "face_id", set(np.asarray(face_id, np.int64).tolist()))
        return {row["face_id"]: _enrolled(row) for row in rows}

    def faces_from(self, photo: str | Path) -> list[int]:
        """See `Roster.faces_from`."""
        paths = (path_in(str(photo)), path_in(str(Path(photo).absolute())))
        return self.database.values("SELECT face_id FROM faces WHERE photo IN (?, ?)", paths)

    def faces_showing(self, photo_sha256: Collection[str]) -> list[EnrolledFace]:
        """See `Roster.faces_showing`."""
        rows = self.database.rows(
            f"SELECT * FROM {FACES} WHERE photo_sha256 IN (SELECT value FROM json_each(?))",
            (json.dumps(list(photo_sha256)),),
        )
        return [_enrolled(row) for row in rows]

    def owners(self, face_id: NDArray[np.int64]) -> dict[int, int]:
        """See `Roster.owners`."""
        if not self.database.row("SELECT 1 FROM faces LIMIT 1"):
            return {}
        rows = self._rows_of("faces", "face_id", set(face_id.tolist()))
        return {row["face_id"]: row["subject_id"] for row in rows}

    def put_subject(self, name: str) -> int:
        """See `Roster.put_subject`."""
        cursor = self.database.execute(
            "INSERT INTO subjects (name, name_key) VALUES (?, ?)", (name, name_key(name))
        )
        return int(cursor.lastrowid or 0)

    def put_name(self, subject_id: int, name: str) -> None:
        """See `Roster.put_name`."""
        self.database.execute(
            "UPDATE subjects SET name = ?, name_key = ? WHERE subject_id = ?",
            (name, name_key(name), subject_id),
        )

    def put_owner(self, subject_id: int, to: int) -> None:
        """See `Roster.put_owner`."""
        self.database.execute("UPDATE faces SET subject_id = ? WHERE subject_id = ?", (to, subject_id))

    def drop_subject(self, subject_id: int) -> None:
        """See `Roster.drop_subject`."""
        self.database.execute("DELETE FROM subjects WHERE subject_id = ?", (subject_id,))

    def put_faces(self, faces: FaceTable, rows: Sequence[tuple[int, int]]) -> None:
        """See `Roster.put_faces`."""
        columns = list(_columns(faces))
        self.database.execute_all(
            "INSERT INTO faces"
            " (subject_id, face_id, photo, photo_sha256, x0, y0, x1, y1, landmarks, score, quality)"
            f" VALUES ({', '.join('?' * 11)})",
            [(subject_id, *columns[row]) for row, subject_id in rows],
        )

    def remove_faces(self, face_id: Sequence[int] | NDArray[np.int64]) -> int:
        """See `Roster.remove_faces`."""
        ids = np.asarray(face_id, np.int64)
        with self.database.transaction() as connection:
            self.templates.remove(ids)
            cursor = connection.executemany(
                "DELETE FROM faces WHERE face_id = ?", [(i,) for i in ids.tolist()]
            )
            return max(0, cursor.rowcount)

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
            rows = self.database.rows(
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

    def _rows_of(self, table: str, column: str, values: Collection[Any]) -> list[sqlite3.Row]:
        """The rows of a table, or of a join, with one of these values in a column."""
        # In this order SQLite looks each value up, and does not go through the table.
        return self.database.rows(
            f"SELECT * FROM json_each(?) CROSS JOIN {table} WHERE {column} = value",
            (json.dumps(list(values)),),
        )


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
