"""The template store in SQLite: the tables `models` and `templates` of an open file."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.embed import quantise
from facespace.errors import FacespaceError, InputError, ModelError
from facespace.models import ModelSpec
from facespace.store.building import OnStep, SqliteIndexes
from facespace.store.candidates import IndexState
from facespace.store.database import Database
from facespace.store.followed import Filed, FollowedTemplates, Removed
from facespace.store.template_store import Extent, Moment, check_new, merged_spec
from facespace.store.templates import Templates

OF_MODEL = " WHERE model_id = (SELECT model_id FROM models WHERE sha256 = ?)"
# SQLite takes so many values in one statement, in every build.
VALUES_AT_ONCE = 500


@dataclass(frozen=True)
class _LastSpec:
    """The last spec that was remembered: as it was given, and as the file has it, with the text of that."""

    given: ModelSpec
    text: str
    stored: ModelSpec


class SqliteTemplates(FollowedTemplates):
    """A `TemplateStore` in an open file.

    Writes join the transaction that is open on the file, so that a face and its template come together; by
    themselves each is a transaction of its own. No read stays open between two batches.

    Args:
        database: an open file that has the tables.

    Attributes:
        indexes: their files.
    """

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        self.indexes = SqliteIndexes(database)
        self._last_spec: _LastSpec | None = None

    def snapshot(self) -> AbstractContextManager[object]:
        """See `TemplateStore.snapshot`."""
        return self._database.snapshot()

    def moment(self) -> Moment:
        """See `TemplateStore.moment`: commits of others, and writes of this connection."""
        connection = self._database.connection
        (others,) = connection.execute("PRAGMA data_version").fetchone()
        return Moment((others, connection.total_changes), not self._database.is_writing)

    def add_model(self, spec: ModelSpec) -> ModelSpec:
        """See `TemplateStore.add_model`."""
        return self._remember(spec)[1]

    def models(self, *, in_use: bool = False) -> tuple[ModelSpec, ...]:
        """See `TemplateStore.models`."""
        return tuple(spec for _, spec in self._stored_specs(in_use=in_use))

    def count(self) -> dict[str, int]:
        """See `TemplateStore.count`."""
        rows = self._database.connection.execute(
            "SELECT sha256, n FROM (SELECT model_id, count(*) AS n FROM templates GROUP BY model_id)"
            " JOIN models USING (model_id) ORDER BY model_id"
        )
        return dict(rows.fetchall())

    def extent(self, model: str) -> Extent:
        """See `TemplateStore.extent`."""
        last_id, n = self._database.connection.execute(
            "SELECT max(template_id), count(*) FROM templates" + OF_MODEL, (model,)
        ).fetchone()
        return Extent(last_id or 0, n)

    def removed(self, model: str, position: int) -> Removed:
        """See `FollowedTemplates.removed`."""
        of_model = "model_id = (SELECT model_id FROM models WHERE sha256 = ?)"
        ids, last, is_whole = self._database.log_after(
            "removed_templates", "template_id", position, of_model, (model,)
        )
        return Removed(np.array(ids, np.int64), last, is_whole)

    def last_id(self, model: str) -> int:
        """See `FollowedTemplates.last_id`."""
        row = self._database.connection.execute(
            "SELECT max(template_id) FROM templates" + OF_MODEL, (model,)
        ).fetchone()
        return int(row[0] or 0)

    def token(self, model: str) -> str | None:
        """See `FollowedTemplates.token`."""
        return self.indexes.token(model)

    def filed(self, spec: ModelSpec, token: str) -> Filed | None:
        """See `FollowedTemplates.filed`."""
        return self.indexes.filed(spec, token)

    def index_states(self) -> dict[str, IndexState]:
        """What a search of each model's templates rests on, by its sha256."""
        with self.snapshot():
            return {sha256: self._index_state(sha256, n) for sha256, n in self.count().items()}

    def _index_state(self, model: str, n: int) -> IndexState:
        spec = self.model(model)
        # Where there is no file the templates need not be read for it.
        if spec is None or (model not in self._held and not self.indexes.has_file(model)):
            return IndexState("exact", n)
        return self.index(spec).state

    def refresh_indexes(self, *, again: bool = False, on_step: OnStep | None = None) -> bool:
        """Build the indexes that are due, in files beside this one; others read and write meanwhile.

        Args:
            again: also those that are not due.
            on_step: called with (templates done, in all) while an index of cells is built.

        Returns:
            False where another process or thread is building them.

        Raises:
            WriteError: there is no room for the files, or no right to write them.
        """
        if self._database.read_only:
            return True
        used = self.models(in_use=True)
        for spec in self.models():
            if spec not in used:
                self.indexes.drop(spec.sha256)
        self.indexes.cut_log()
        due = [spec for spec in used if again or self.indexes.is_due(self, spec)]
        for spec in due:
            self._held.pop(spec.sha256, None)
        built = [self.indexes.build(self, spec, on_step=on_step) for spec in due]
        return all(built)

    def overwrite_removed(self) -> bool:
        """Take what was removed out of the files of the indexes too; see `SqliteIndexes.overwrite_removed`."""
        done = []
        for spec in self.models():
            if self.token(spec.sha256) is None:
                continue
            with self.snapshot():
                index = self.index(spec)
            done.append(self.indexes.overwrite_removed(index, spec))
        return all(done)

    def faces(self, model: str | None = None) -> NDArray[np.int64]:
        """See `TemplateStore.faces`."""
        of_model, values = ("", ()) if model is None else (OF_MODEL, (model,))
        rows = self._database.connection.execute(
            f"SELECT DISTINCT face_id FROM templates{of_model} ORDER BY face_id", values
        ).fetchall()
        return np.array(rows, np.int64).reshape(-1)

    def add(
        self,
        face_id: NDArray[np.int64],
        embeddings: NDArray[np.float32],
        spec: ModelSpec,
        *,
        quality: NDArray[np.float32],
    ) -> None:
        """See `TemplateStore.add`."""
        ids, rows, grades = check_new(face_id, embeddings, spec, quality)
        with self._database.transaction() as connection:
            model_id, stored = self._remember(spec)
            vectors = quantise(rows, stored.byte_scale)
            # A new row, not an update: its new id tells those that hold the old one in memory.
            connection.executemany(
                "DELETE FROM templates WHERE face_id = ? AND model_id = ?",
                [(i, model_id) for i in ids.tolist()],
            )
            # SQLite keeps nan as null.
            connection.executemany(
                "INSERT INTO templates (face_id, model_id, vector, quality) VALUES (?, ?, ?, ?)",
                [
                    (i, model_id, v.tobytes(), q)
                    for i, v, q in zip(ids.tolist(), vectors, grades.tolist(), strict=True)
                ],
            )

    def remove(self, face_id: NDArray[np.int64], *, model: str | None = None) -> int:
        """See `TemplateStore.remove`."""
        of_model = "" if model is None else " AND model_id = (SELECT model_id FROM models WHERE sha256 = ?)"
        rest = () if model is None else (model,)
        with self._database.transaction() as connection:
            cursor = connection.executemany(
                "DELETE FROM templates WHERE face_id = ?" + of_model,
                [(i, *rest) for i in np.asarray(face_id, np.int64).tolist()],
            )
            return max(0, cursor.rowcount)

    def batches(self, *, model: str | None = None, after: int = 0, size: int = 4096) -> Iterator[Templates]:
        """See `TemplateStore.batches`."""
        if size < 1:
            raise InputError(f"size: expected at least 1, got {size}")
        for model_id, spec in self._stored_specs():
            if model in (None, spec.sha256):
                yield from self._batches(model_id, spec, after, size)

    def of_faces(self, face_id: NDArray[np.int64], *, model: str | None = None) -> list[Templates]:
        """See `TemplateStore.of_faces`."""
        ids, found = np.unique(np.asarray(face_id, np.int64)).tolist(), []
        with self._database.snapshot() as connection:
            for model_id, spec in reversed(self._stored_specs()):
                rows: list[tuple[Any, ...]] = []
                for start in range(0, len(ids) if model in (None, spec.sha256) else 0, VALUES_AT_ONCE):
                    some = ids[start : start + VALUES_AT_ONCE]
                    marks = ", ".join("?" * len(some))
                    rows += connection.execute(
                        "SELECT template_id, face_id, vector, quality FROM templates"
                        f" WHERE model_id = ? AND face_id IN ({marks})",
                        (model_id, *some),
                    )
                if rows:
                    found.append(self._templates(spec, sorted(rows)))
        return found

    def problems(self) -> tuple[str, ...]:
        """See `TemplateStore.problems`."""
        try:
            specs = self._stored_specs()
        except FacespaceError as error:
            return (str(error),)
        count = "SELECT count(*) FROM templates WHERE model_id = ? AND length(vector) != ?"
        counts = [self._database.connection.execute(count, (i, spec.dim)).fetchone()[0] for i, spec in specs]
        wrong = tuple(
            f"templates of {spec.label} that are not of {spec.dim} bytes: {n}"
            for (_, spec), n in zip(specs, counts, strict=True)
            if n
        )
        return wrong or tuple(line for _, spec in specs for line in self._index_problems(spec))

    def _index_problems(self, spec: ModelSpec) -> Iterator[str]:
        """Templates that the file of an index holds otherwise than the store."""
        if not self.indexes.has_file(spec.sha256):
            return
        n_wrong = n = 0
        with self.snapshot():
            index = self.index(spec)
            for batch in self.batches(model=spec.sha256, size=2**14):
                n += len(batch)
                n_wrong += int((~index.has(batch)).sum())
            if n_wrong or n != len(index):
                yield (
                    f"templates of {spec.label} that its index holds otherwise: {max(n_wrong, abs(n - len(index)))}; "
                    "build it again: facespace gallery index FILE --again"
                )

    def _remember(self, spec: ModelSpec) -> tuple[int, ModelSpec]:
        # One photo after another comes with the same model.
        last, row = self._last_spec, self._model_row(spec)
        if last is not None and row is not None and last.given is spec and last.text == row[1]:
            return int(row[0]), last.stored
        with self._database.transaction() as connection:
            row = self._model_row(spec)
            stored = merged_spec(spec, None if row is None else self._spec(row[1]))
            text = stored.to_json()
            (model_id,) = connection.execute(
                "INSERT INTO models (sha256, label, spec) VALUES (?, ?, ?)"
                " ON CONFLICT (sha256) DO UPDATE SET label = excluded.label, spec = excluded.spec"
                " RETURNING model_id",
                (stored.sha256, stored.label, text),
            ).fetchone()
        self._last_spec = _LastSpec(spec, text, stored)
        return int(model_id), stored

    def _model_row(self, spec: ModelSpec) -> tuple[int, str] | None:
        row: tuple[int, str] | None = self._database.connection.execute(
            "SELECT model_id, spec FROM models WHERE sha256 = ?", (spec.sha256,)
        ).fetchone()
        return row

    def _stored_specs(self, *, in_use: bool = False) -> list[tuple[int, ModelSpec]]:
        used = (
            " WHERE EXISTS (SELECT 1 FROM templates t WHERE t.model_id = models.model_id)" if in_use else ""
        )
        rows = self._database.connection.execute(
            f"SELECT model_id, spec, sha256 FROM models{used} ORDER BY model_id"
        ).fetchall()
        return [(int(model_id), self._spec(text, sha256)) for model_id, text, sha256 in rows]

    def _spec(self, text: str, sha256: str | None = None) -> ModelSpec:
        try:
            spec = _spec_of(text)
        except ModelError as error:
            raise self._database.damaged(f"a model: {error}") from error
        if sha256 not in (None, spec.sha256):
            raise self._database.damaged(f"a model {spec.sha256[:8]} stands in the row of {str(sha256)[:8]}")
        return spec

    def _batches(self, model_id: int, spec: ModelSpec, after: int, size: int) -> Iterator[Templates]:
        while True:
            rows = self._database.connection.execute(
                "SELECT template_id, face_id, vector, quality FROM templates"
                " WHERE model_id = ? AND template_id > ? ORDER BY template_id LIMIT ?",
                (model_id, after, size),
            ).fetchall()
            if not rows:
                return
            after = rows[-1][0]
            yield self._templates(spec, rows)

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
