"""The template store in SQLite, exact: the file keeps the templates, memory holds a matrix of each model searched."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.distances import check_embeddings
from facespace.embed import quantise
from facespace.errors import IncompatibleModelsError, InputError, ModelError
from facespace.models import FarCurve, ModelSpec, common_threshold, far_curve
from facespace.store.database import Database
from facespace.store.nearest import TemplateMatrix
from facespace.store.template_store import Hits, Templates

__all__ = ["SqliteTemplates"]

# What a matrix in memory was read at: PRAGMA data_version (others' commits) and total_changes (our own writes).
Moment = tuple[int, int]


@dataclass(frozen=True)
class _Pair:
    """The probes' model with one whose templates may meet it."""

    stored: ModelSpec
    model_id: int
    curve: FarCurve

    def other(self, spec: ModelSpec) -> ModelSpec:
        """The templates' model; the probes' own in the words of the probes' spec, which may be the later one."""
        return spec if self.stored.sha256 == spec.sha256 else self.stored


@dataclass(frozen=True)
class _Held:
    """The templates of one model as they were at a moment, up to the last id then."""

    moment: Moment
    last_id: int
    matrix: TemplateMatrix


@dataclass(frozen=True)
class _LastSpec:
    """The last spec that was remembered: as it was given, and as the file has it, with the text of that."""

    given: ModelSpec
    text: str
    stored: ModelSpec


class SqliteTemplates:
    """A `TemplateStore` in the tables `models` and `templates` of an open file.

    Writes join the transaction that is open on the file, so that a face and its template come together; by
    themselves each is a transaction of its own. A search holds the templates it needs in memory, 4 bytes a
    component, and reads again only what has come since. Dropping a face from the table `faces` drops its templates.

    Args:
        database: an open file that has the tables.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: dict[int, _Held] = {}
        self._last_spec: _LastSpec | None = None

    def add_model(self, spec: ModelSpec) -> ModelSpec:
        """See `TemplateStore.add_model`."""
        return self._remember(spec)[1]

    def models(self) -> tuple[ModelSpec, ...]:
        """See `TemplateStore.models`."""
        return tuple(spec for _, spec in self._stored_specs())

    def model(self, sha256: str | None) -> ModelSpec | None:
        """The spec of the model with that sha256, if it is remembered."""
        return next((spec for spec in self.models() if spec.sha256 == sha256), None)

    def count(self) -> dict[str, int]:
        """See `TemplateStore.count`."""
        with self._database.snapshot() as connection:
            return dict(
                connection.execute(
                    "SELECT sha256, n FROM (SELECT model_id, count(*) AS n FROM templates GROUP BY model_id)"
                    " JOIN models USING (model_id) ORDER BY model_id"
                ).fetchall()
            )

    def byte_scale(self, spec: ModelSpec) -> float:
        """See `TemplateStore.byte_scale`."""
        stored = {known.sha256: known.byte_scale for _, known in self._stored_specs()}
        return stored.get(spec.sha256, spec.byte_scale)

    def add(
        self,
        face_id: NDArray[np.int64],
        embeddings: NDArray[np.float32],
        spec: ModelSpec,
        *,
        quality: NDArray[np.float32],
    ) -> None:
        """See `TemplateStore.add`."""
        ids = np.asarray(face_id, np.int64)
        rows = _check_rows(embeddings, spec, "embeddings")
        grades = np.asarray(quality, np.float64)
        if ids.shape != (len(rows),) or grades.shape != ids.shape:
            raise InputError(
                f"face_id, quality: expected shape ({len(rows)},), got {ids.shape} and {grades.shape}"
            )
        if len(np.unique(ids)) != len(ids):
            raise InputError("face_id: expected each face once, one stands there twice")
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

    def batches(self, *, model: str | None = None, size: int = 4096) -> Iterator[Templates]:
        """See `TemplateStore.batches`. No read stays open between two batches."""
        if size < 1:
            raise InputError(f"size: expected at least 1, got {size}")
        for model_id, spec in self._stored_specs():
            if model in (None, spec.sha256):
                yield from self._batches(model_id, spec, size)

    def comparable(self, spec: ModelSpec) -> tuple[ModelSpec, ...]:
        """See `TemplateStore.comparable`."""
        with self._database.snapshot():
            return tuple(pair.stored for pair in self._pairs(spec))

    def search(
        self, probes: NDArray[np.float32], spec: ModelSpec, *, k: int, far: float | None = None
    ) -> Hits:
        """See `TemplateStore.search`."""
        rows = _check_rows(probes, spec, "probes")
        if k < 1:
            raise InputError(f"k: expected at least 1, got {k}")
        with self._database.snapshot():
            scale = self.byte_scale(spec)
            pairs = self._pairs(spec)
            thresholds = [
                np.nan if far is None else common_threshold(spec, pair.other(spec), far) for pair in pairs
            ]
            matrices = [self._matrix(pair.model_id, spec.dim) for pair in pairs]
        vectors = quantise(rows, scale)
        return _nearest(vectors, pairs, matrices, thresholds, k, far)

    def _remember(self, spec: ModelSpec) -> tuple[int, ModelSpec]:
        # One photo after another comes with the same model.
        last, row = self._last_spec, self._model_row(spec)
        if last is not None and row is not None and last.given is spec and last.text == row[1]:
            return int(row[0]), last.stored
        with self._database.transaction() as connection:
            row = self._model_row(spec)
            known = spec if row is None else ModelSpec.from_json(row[1])
            if known.dim != spec.dim:
                raise ModelError(f"{spec.label}: expected {known.dim} dimensions as before, got {spec.dim}")
            stored = dataclasses.replace(spec, byte_scale=known.byte_scale or spec.byte_scale)
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

    def _stored_specs(self) -> list[tuple[int, ModelSpec]]:
        with self._database.snapshot() as connection:
            rows = connection.execute("SELECT model_id, spec FROM models ORDER BY model_id").fetchall()
        return [(int(model_id), ModelSpec.from_json(spec)) for model_id, spec in rows]

    def _pairs(self, spec: ModelSpec) -> list[_Pair]:
        """The models with templates that may meet the probes', in the order in which a face's templates are taken."""
        known = [(i, stored) for i, stored in self._stored_specs() if self._has_templates(i)]
        # The probes' own model first, then the newest.
        known.sort(key=lambda item: (item[1].sha256 != spec.sha256, -item[0]))
        pairs, refused = [], []
        for model_id, stored in known:
            other = spec if stored.sha256 == spec.sha256 else stored
            try:
                curve = far_curve(spec, other)
            except IncompatibleModelsError:
                refused.append(stored.label)
                continue
            if stored.dim != spec.dim:
                raise ModelError(
                    f"{spec.label}: {spec.dim} dimensions, {stored.label}: {stored.dim}; expected the same"
                )
            pairs.append(_Pair(stored, model_id, curve))
        if refused and not pairs:
            raise IncompatibleModelsError(
                f"probes of {spec.label} cannot be compared with templates of {', '.join(refused)}: neither model "
                "declares compatibility; use the templates' model, or enrol the photos with the new one"
            )
        return pairs

    def _has_templates(self, model_id: int) -> bool:
        row = self._database.connection.execute(
            "SELECT 1 FROM templates WHERE model_id = ? LIMIT 1", (model_id,)
        ).fetchone()
        return row is not None

    def _matrix(self, model_id: int, dim: int) -> TemplateMatrix:
        """All templates of a model as the file has them now; call it inside a snapshot."""
        connection = self._database.connection
        now = (connection.execute("PRAGMA data_version").fetchone()[0], connection.total_changes)
        held = self._held.get(model_id)
        if held is None or held.moment != now:
            held = self._read(model_id, dim, now, held)
            # What an open transaction has written may be taken back: it is seen, but not kept.
            if not self._database.is_writing:
                self._held[model_id] = held
        return held.matrix

    def _read(self, model_id: int, dim: int, now: Moment, before: _Held | None) -> _Held:
        last_id = before.last_id if before else 0
        connection = self._database.connection
        rows = connection.execute(
            "SELECT template_id, face_id, vector FROM templates WHERE model_id = ? AND template_id > ?"
            " ORDER BY template_id",
            (model_id, last_id),
        ).fetchall()
        new = TemplateMatrix.of(*self._columns(rows, dim))
        matrix = new if before is None else before.matrix + new if rows else before.matrix
        (n,) = connection.execute("SELECT count(*) FROM templates WHERE model_id = ?", (model_id,)).fetchone()
        if len(matrix) != n:  # some that were held are gone
            return self._read(model_id, dim, now, None)
        return _Held(now, rows[-1][0] if rows else last_id, matrix)

    def _batches(self, model_id: int, spec: ModelSpec, size: int) -> Iterator[Templates]:
        last_id = 0
        while True:
            with self._database.snapshot() as connection:
                rows = connection.execute(
                    "SELECT template_id, face_id, vector, quality FROM templates"
                    " WHERE model_id = ? AND template_id > ? ORDER BY template_id LIMIT ?",
                    (model_id, last_id, size),
                ).fetchall()
            if not rows:
                return
            last_id = rows[-1][0]
            ids, vectors = self._columns(rows, spec.dim)
            # None becomes nan.
            yield Templates(spec.sha256, ids, vectors, np.array([row[3] for row in rows], np.float32))

    def _columns(self, rows: list[tuple[Any, ...]], dim: int) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
        """Face ids (N,) and vectors (N, D) of rows whose second and third columns they are."""
        for row in rows:
            if len(row[2]) != dim:
                raise self._database.damaged(f"a template of {len(row[2])} bytes, expected {dim}")
        vectors = np.frombuffer(b"".join(row[2] for row in rows), np.int8).reshape(len(rows), dim)
        return np.array([row[1] for row in rows], np.int64), vectors


def _check_rows(rows: NDArray[np.float32], spec: ModelSpec, name: str) -> NDArray[np.float32]:
    checked = check_embeddings(rows, name)
    if checked.shape[1] != spec.dim:
        raise InputError(f"{name}: expected {spec.dim} components of {spec.label}, got {checked.shape[1]}")
    if not spec.byte_scale > 0:
        raise ModelError(
            f"{spec.label}: expected a model with a byte form, its byte_scale is {spec.byte_scale}"
        )
    return checked


def _nearest(
    vectors: NDArray[np.int8],
    pairs: list[_Pair],
    matrices: list[TemplateMatrix],
    thresholds: list[float],
    k: int,
    far: float | None,
) -> Hits:
    """The k nearest of all models together; a face counts in the first matrix that has it."""
    found = [Hits.empty(len(vectors), far)]
    for i, (pair, matrix) in enumerate(zip(pairs, matrices, strict=True)):
        among = None
        if i:
            among = ~np.isin(matrix.face_id, np.concatenate([m.face_id for m in matrices[:i]]))
        rows, distance = matrix.nearest(vectors, k, among=among)
        found.append(
            Hits(
                (pair.stored.sha256,), matrix.face_id[rows], np.full(rows.shape, i), distance,
                np.full(rows.shape, thresholds[i]), pair.curve.log_far(distance), far,
            )
        )  # fmt: skip
    return _merged(found, k, far)


def _merged(found: list[Hits], k: int, far: float | None) -> Hits:
    """The k best of several, by log_far and then face id."""
    columns = {
        name: np.concatenate([getattr(hits, name) for hits in found], axis=1)
        for name in ("face_id", "model_idx", "distance", "threshold", "log_far")
    }
    # Two distances of one pair may round to one rate: the distance decides before the face id.
    order = np.lexsort((columns["face_id"], columns["distance"], columns["log_far"]), axis=1)[:, :k]
    best = {name: np.take_along_axis(column, order, axis=1) for name, column in columns.items()}
    return Hits(tuple(model for hits in found for model in hits.models), far=far, **best)
