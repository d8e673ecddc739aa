"""The template store in SQLite: the tables `models` and `templates` of an open file."""

import json
from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import FacespaceError, ModelError
from facespace.models import ModelSpec
from facespace.store.candidates import IndexState
from facespace.store.database import Database
from facespace.store.held import HeldIndex
from facespace.store.sqlite_indexes import OF_MODEL, SqliteIndexes
from facespace.store.template_store import TemplateStore
from facespace.store.templates import NewTemplates, Templates

COLUMNS = "template_id, face_id, vector, quality"


class SqliteTemplates(TemplateStore):
    """A `TemplateStore` in an open file.

    Writes join the transaction that is open on the file, so that a face and its template come together; by
    themselves each is a transaction of its own. No read stays open between two batches.

    Args:
        database: an open file that has the tables.

    Attributes:
        indexes: of the templates of each model.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.indexes = SqliteIndexes(database, self)

    def snapshot(self) -> AbstractContextManager[object]:
        """See `TemplateStore.snapshot`."""
        return self._database.snapshot()

    def transaction(self) -> AbstractContextManager[object]:
        """See `TemplateStore.transaction`."""
        return self._database.transaction()

    def moment(self) -> Hashable:
        """See `TemplateStore.moment`."""
        return self._database.moment()

    def models(self, *, in_use: bool = False) -> tuple[ModelSpec, ...]:
        """See `TemplateStore.models`."""
        used = (
            " WHERE EXISTS (SELECT 1 FROM templates t WHERE t.model_id = models.model_id)" if in_use else ""
        )
        rows = self._database.rows(f"SELECT sha256, spec FROM models{used} ORDER BY model_id")
        return tuple(self._spec(*row) for row in rows)

    def keep_model(self, spec: ModelSpec) -> None:
        """See `TemplateStore.keep_model`."""
        self._database.execute(
            "INSERT INTO models (sha256, label, spec) VALUES (?, ?, ?)"
            " ON CONFLICT (sha256) DO UPDATE SET label = excluded.label, spec = excluded.spec",
            (spec.sha256, spec.label, spec.to_json()),
        )

    def count(self) -> dict[str, int]:
        """See `TemplateStore.count`."""
        rows = self._database.connection.execute(
            "SELECT sha256, n FROM (SELECT model_id, count(*) AS n FROM templates GROUP BY model_id)"
            " JOIN models USING (model_id) ORDER BY model_id"
        )
        return dict(rows.fetchall())

    def extent(self, model: str) -> tuple[int, int]:
        """How far the templates of a model reach, by its sha256: the last id and how many there are.

        Where any have come the id is a later one, where some have gone there are fewer.
        """
        n = self._database.value(f"SELECT count(*) FROM templates WHERE {OF_MODEL}", (model,))
        return self.last_id(model), n

    def last_id(self, model: str) -> int:
        """Of the newest template of the model with that sha256; 0 without any."""
        last = self._database.value(f"SELECT max(template_id) FROM templates WHERE {OF_MODEL}", (model,))
        return int(last or 0)

    def index(self, spec: ModelSpec) -> HeldIndex:
        """See `TemplateStore.index`."""
        return self.indexes.of(spec)

    def index_states(self) -> dict[str, IndexState]:
        """See `TemplateStore.index_states`."""
        return self.indexes.states()

    def faces(self, model: str | None = None) -> NDArray[np.int64]:
        """See `TemplateStore.faces`."""
        where, values = ("", ()) if model is None else (f" WHERE {OF_MODEL}", (model,))
        ids = self._database.values(f"SELECT DISTINCT face_id FROM templates{where} ORDER BY face_id", values)
        return np.array(ids, np.int64)

    def put(self, new: NewTemplates) -> None:
        """See `TemplateStore.put`."""
        # A new row, not an update: its new id tells those that hold the old one in memory.
        self.remove(new.face_id, model=new.model)
        connection = self._database.connection
        (model_id,) = connection.execute(
            "SELECT model_id FROM models WHERE sha256 = ?", (new.model,)
        ).fetchone()
        # SQLite keeps nan as null.
        columns = zip(new.face_id.tolist(), new.vectors, new.quality.tolist(), strict=True)
        self._database.execute_all(
            "INSERT INTO templates (face_id, model_id, vector, quality) VALUES (?, ?, ?, ?)",
            [(i, model_id, vector.tobytes(), grade) for i, vector, grade in columns],
        )

    def remove(self, face_id: NDArray[np.int64], *, model: str | None = None) -> int:
        """See `TemplateStore.remove`."""
        of_model, rest = ("", ()) if model is None else (f" AND {OF_MODEL}", (model,))
        with self._database.transaction() as connection:
            cursor = connection.executemany(
                "DELETE FROM templates WHERE face_id = ?" + of_model,
                [(i, *rest) for i in np.asarray(face_id, np.int64).tolist()],
            )
            return max(0, cursor.rowcount)

    def batches_of(self, spec: ModelSpec, after: int, size: int) -> Iterator[Templates]:
        """See `TemplateStore.batches_of`."""
        while True:
            rows = self._database.connection.execute(
                f"SELECT {COLUMNS} FROM templates WHERE {OF_MODEL} AND template_id > ?"
                " ORDER BY template_id LIMIT ?",
                (spec.sha256, after, size),
            ).fetchall()
            if not rows:
                return
            after = rows[-1][0]
            yield self._templates(spec, rows)

    def of_some(self, spec: ModelSpec, face_id: NDArray[np.int64]) -> Templates | None:
        """See `TemplateStore.of_some`."""
        # In this order SQLite looks each face up, and does not go through all templates of the model.
        rows = self._database.connection.execute(
            f"SELECT {COLUMNS} FROM json_each(?) CROSS JOIN templates ON face_id = value WHERE {OF_MODEL}",
            (json.dumps(face_id.tolist()), spec.sha256),
        ).fetchall()
        return self._templates(spec, sorted(rows)) if rows else None

    def n_broken(self, spec: ModelSpec) -> int:
        """See `TemplateStore.n_broken`."""
        sql = f"SELECT count(*) FROM templates WHERE {OF_MODEL} AND length(vector) != ?"
        return int(self._database.value(sql, (spec.sha256, spec.dim)))

    def problems(self) -> tuple[str, ...]:
        """See `TemplateStore.problems`; also of the indexes."""
        try:
            specs = self.models()
        except FacespaceError as error:
            return (str(error),)
        return super().problems() or tuple(line for spec in specs for line in self.indexes.problems(spec))

    def _spec(self, sha256: str, text: str) -> ModelSpec:
        try:
            spec = _spec_of(text)
        except ModelError as error:
            raise self._database.damaged(f"a model: {error}") from error
        if sha256 != spec.sha256:
            raise self._database.damaged(f"a model {spec.sha256[:8]} stands in the row of {sha256[:8]}")
        return spec

    def _templates(self, spec: ModelSpec, rows: list[tuple[Any, ...]]) -> Templates:
        for row in rows:
            if len(row[2]) != spec.dim:
                raise self._database.damaged(f"a template of {len(row[2])} bytes, expected {spec.dim}")
        ids, faces, vectors, grades = zip(*rows, strict=True)
        with np.errstate(over="ignore"):
            quality = np.array(grades, np.float32)  # None becomes nan
        return Templates(
            spec.sha256, np.array(ids, np.int64), np.array(faces, np.int64),
            np.frombuffer(b"".join(vectors), np.int8).reshape(len(rows), spec.dim),
            quality,
        )  # fmt: skip


@lru_cache(64)
def _spec_of(text: str) -> ModelSpec:
    """Kept, since every search asks for the specs of all models."""
    return ModelSpec.from_json(text)
