"""A gallery's collections in Milvus, and how they are written so that a kill leaves nothing half done.

Milvus has no transactions: every request stands alone. What a transaction gathers is written in steps of some thousand
faces. A step begins with a record of the faces it is about, and ends with its deletion. New faces: first templates,
then the row of the face, which alone makes it one of the gallery. Removed ones: the record says so, and from then on
they are gone; then templates, then rows. A process that opens the gallery to write completes the removals of steps
that a kill has cut off, and takes back the templates of faces that did not come to be. It waits until the writer can
no longer be at work: a writer gives up a step that takes longer than `STEP_S`.
"""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.embed import dequantise
from facespace.errors import GalleryError
from facespace.models import ModelSpec
from facespace.store.milvus.address import MilvusAddress
from facespace.store.milvus.collection import PAGE, Collection, Field, Row, from_text, to_text
from facespace.store.milvus.server import MilvusServer
from facespace.store.milvus.unit import Unit
from facespace.store.templates import NewTemplates

VERSION = 1
# A writer gives up a step after this, and others clear up after twice as long, by the server's time.
STEP_S = 300.0
# The faces of one step of a write, which is complete or completed (or undone) later.
FACES_AT_ONCE = 2048
BITS_OF_COUNTER = 18  # of a timestamp, below the milliseconds
LONGEST = 65535

RECORDS = (Field("record", "VARCHAR", 200), Field("value", "VARCHAR", LONGEST))
SUBJECTS = (Field("subject_id", "INT64"), Field("name", "VARCHAR", 1000))
FACES = (
    Field("face_id", "INT64"), Field("subject_id", "INT64"),
    Field("photo", "INT64"), Field("content", "INT64"),  # `key_of` the photo's path and of its content's hash
    Field("details", "VARCHAR", LONGEST),
)  # fmt: skip
UNKNOWN_QUALITY = -1.0


def _templates(dim: int) -> tuple[Field, ...]:
    return (
        Field("face_id", "INT64"), Field("template_id", "INT64"), Field("quality", "FLOAT"),
        Field("bytes", "VARCHAR", 4 * -(-dim // 3)),
    )  # fmt: skip


@dataclass(frozen=True)
class Step:
    """The faces of a step that is under way, or was cut off.

    Attributes:
        record: its key.
        began: the server's time.
        removes: whether they are removed, or else added.
        face_id: int64.
        subject_id: int64, of the subjects that come or go with it.
    """

    record: str
    began: int
    removes: bool
    face_id: NDArray[np.int64]
    subject_id: NDArray[np.int64]


class MilvusDatabase:
    """An open gallery; belongs to the thread that opened it.

    Args:
        address: of the gallery.
        token: see `MilvusServer`.
        create: False makes an absent gallery an error.

    Raises:
        GalleryError: see `MilvusServer`; the gallery is absent, or of a newer version.
    """

    def __init__(self, address: MilvusAddress, token: str = "", *, create: bool = True) -> None:
        self.address, self.server = address, MilvusServer(address, token)
        self.records = self._collection("records", RECORDS)
        self.subjects = self._collection("subjects", SUBJECTS)
        self.faces = self._collection("faces", FACES)
        self._templates: dict[str, Collection] = {}
        self._seen: dict[str, str] | None = None  # the records, inside a snapshot
        self._has_cleared = False
        self.unit: Unit | None = None
        try:
            self._open(create)
        except BaseException:
            self.server.close()
            raise

    def close(self) -> None:
        """End the connection."""
        self.server.close()

    def _open(self, create: bool) -> None:
        parts = (self.subjects, self.faces, self.records)  # the last one makes it a gallery
        if not self.server.has(self.records.name):
            if not create:
                raise GalleryError(f"{self.address.text}: expected a facespace gallery, there is no such one")
            for part in parts:
                part.create()
            self.records.put([{"record": "gallery", "value": json.dumps({"version": VERSION})}])
        for part in parts:
            self.server.load(part.name)
        version = json.loads(self.read_records().get("gallery", "{}")).get("version", VERSION)
        if version > VERSION:
            raise GalleryError(
                f"{self.address.text}: the gallery is of version {version}, this facespace knows up to {VERSION}; "
                "use the newer facespace that wrote it"
            )

    def templates(self, spec: ModelSpec) -> Collection:
        """The templates of a model that is remembered."""
        if spec.sha256 not in self._templates:
            one = self._collection(f"templates_{spec.sha256[:16]}", _templates(spec.dim), spec.dim)
            # A writer that was killed between the two has remembered the model and not made its collection.
            one.create()
            self._templates[spec.sha256] = one
        return self._templates[spec.sha256]

    def _collection(self, kind: str, fields: Sequence[Field], dim: int = 0) -> Collection:
        return Collection(self.server, f"{self.address.gallery}_{kind}", fields, dim)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads inside see at least what had been acknowledged when it began; the records are read once."""
        with self.server.snapshot():
            try:
                yield
            finally:
                if self.server.is_outermost:
                    self._seen = None

    def read_records(self) -> dict[str, str]:
        """All of them, with those that the open transaction will write."""
        with self.snapshot():
            if self._seen is None:
                self._seen = {row["record"]: row["value"] for row in self.records.scan()}
            seen = self._seen
        return seen if self.unit is None else {**seen, **self.unit.records}

    @contextmanager
    def transaction(self) -> Iterator[Unit]:
        """What is gathered inside is written when it ends well, and an error writes nothing of it.

        Raises:
            GalleryError: the server is away or refuses; some steps may then have been written. The same call again
                completes them.
        """
        if self.unit is not None:
            before = self.unit.copy()
            try:
                yield self.unit
            except BaseException:
                self.unit = before
                raise
            return
        self._clear_up()
        with self.snapshot():
            self.unit = Unit()
            try:
                yield self.unit
                unit = self.unit
                models = self.models() if unit else ()  # with those that it brings
            finally:
                self.unit = None
            if unit:
                self._finish_removals(unit)
                _Writer(self, unit, models).write()
                self._seen = None

    @property
    def gathered(self) -> Unit:
        """What the open transaction will write."""
        assert self.unit is not None, "it is written inside a transaction"
        return self.unit

    def put_record(self, record: str, value: str) -> None:
        """Keep what was worked out of the gallery, which is no change of it."""
        self.records.put([{"record": record, "value": value}])
        if self._seen is not None:
            self._seen = {**self._seen, record: value}

    def compact(self) -> None:
        """Ask the server to write its files again without what was deleted; it does so in its own time."""
        if self.address.is_lite:
            return
        for one in (self.faces, self.subjects, *self._templates.values()):
            self.server.ask("compact", partial(self.server.client.compact, one.name, timeout=60.0))

    def models(self) -> tuple[ModelSpec, ...]:
        """The specs of all models remembered, in the order they came."""
        found = [
            json.loads(value) for record, value in self.read_records().items() if record.startswith("model ")
        ]
        return tuple(ModelSpec.from_json(one["spec"]) for one in sorted(found, key=lambda one: one["came"]))

    def steps(self) -> list[Step]:
        """Those that are under way or were cut off."""
        return [
            _step_of(record, json.loads(value))
            for record, value in self.read_records().items()
            if record.startswith("step ")
        ]

    def gone(self) -> NDArray[np.int64]:
        """Ids of faces that a step removes, or that the open transaction will."""
        steps = [step.face_id for step in self.steps() if step.removes]
        own = [] if self.unit is None else [np.array(sorted(self.unit.gone), np.int64)]
        return np.unique(np.concatenate([np.zeros(0, np.int64), *steps, *own]))

    def staying(self, rows: Iterable[Row]) -> list[Row]:
        """Of rows of faces those that are not gone."""
        gone = set(self.gone().tolist())
        return [row for row in rows if row["face_id"] not in gone]

    def read_faces(
        self, where: str = "", fields: Sequence[str] | None = None, *, limit: int | None = None
    ) -> list[Row]:
        """The rows of the faces of a condition that are there, by id; at most so many."""
        gone = set(self.gone().tolist())
        size = PAGE if limit is None else min(PAGE, limit + len(gone))
        rows = (row for row in self.faces.scan(fields, where=where, size=size) if row["face_id"] not in gone)
        return list(islice(rows, limit))

    def count_faces(self) -> int:
        """How many faces are there."""
        gone = self.gone().tolist()
        return self.faces.count() - (len(self.faces.get(gone, ["face_id"])) if gone else 0)

    def coming(self) -> NDArray[np.int64]:
        """Ids of faces that a step adds, which may have templates before they are there."""
        steps = [step.face_id for step in self.steps() if not step.removes]
        return np.unique(np.concatenate([np.zeros(0, np.int64), *steps]))

    def _clear_up(self) -> None:
        """Complete or take back the steps of writers that are no longer at work; once."""
        if self._has_cleared:
            return
        self._has_cleared = True
        with self.snapshot():
            steps, models = self.steps(), self.models()
            if not steps:
                return
            limit = self.server.now() - (int(2000 * STEP_S) << BITS_OF_COUNTER)
            for step in steps:
                # What is to be removed may be removed twice.
                if step.removes or step.began <= limit:
                    self._finish(step, models)
        self._seen = None

    def _finish_removals(self, unit: Unit) -> None:
        """Those of faces that are about to come back."""
        for step in self.steps():
            if step.removes and not unit.faces.keys().isdisjoint(step.face_id.tolist()):
                self._finish(step, self.models())

    def _finish(self, step: Step, models: Sequence[ModelSpec]) -> None:
        ids = step.face_id.tolist()
        there = {row["face_id"] for row in self.faces.get(ids, ["face_id"])}
        lost = ids if step.removes else [one for one in ids if one not in there]
        for model in models:
            self.templates(model).drop(lost)
        self.faces.drop(lost)
        self.subjects.drop([i for i in step.subject_id.tolist() if step.removes or not self._has_faces(i)])
        self.records.drop([step.record])

    def _has_faces(self, subject_id: int) -> bool:
        return bool(self.faces.page(f"subject_id == {subject_id}", 1, ["face_id"]))


def _step_of(record: str, value: dict[str, Any]) -> Step:
    faces, subjects = (from_text(value[name], "<i8").astype(np.int64) for name in ("faces", "subjects"))
    return Step(record, value["began"], value["removes"], faces, subjects)


class _Writer:
    """Writes what a transaction has gathered, in steps."""

    def __init__(self, database: MilvusDatabase, unit: Unit, models: Sequence[ModelSpec]) -> None:
        self.db, self.unit = database, unit
        self.specs = {spec.sha256: spec for spec in models}

    def write(self) -> None:
        """All of it.

        Raises:
            GalleryError: the server is away or refuses; some steps may have been written.
        """
        unit = self.unit
        for put in unit.templates:
            self.db.templates(self.specs[put.model])
        self.db.records.put([{"record": key, "value": value} for key, value in unit.records.items()])
        self._add()
        self._remove()
        self.db.records.put([{"record": "state", "value": json.dumps(uuid.uuid4().hex)}])

    def _add(self) -> None:
        unit = self.unit
        rows, left = dict(unit.faces), dict(unit.subjects)
        parts = (
            new[start : start + FACES_AT_ONCE]
            for new in unit.templates
            for start in range(0, len(new.face_id), FACES_AT_ONCE)
        )
        for part in parts:
            ids = part.face_id.tolist()
            new = [rows.pop(one) for one in ids if one in rows]
            names = {i: left.pop(i) for i in {row["subject_id"] for row in new} if i in left}
            with self._step(ids, list(names), removes=False) as check:
                self.db.templates(self.specs[part.model]).put(self._template_rows(part))
                self.db.subjects.put([{"name": name, "subject_id": i} for i, name in names.items()])
                check()
                self.db.faces.put(new)
        self.db.subjects.put([{"name": name, "subject_id": i} for i, name in left.items()])
        self.db.faces.put(list(rows.values()))

    def _remove(self) -> None:
        unit = self.unit
        gone = sorted(unit.gone - unit.faces.keys())
        subjects = [number for number in unit.gone_subjects if number not in unit.subjects]
        for start in range(0, len(gone), FACES_AT_ONCE):
            ids = gone[start : start + FACES_AT_ONCE]
            is_last = start + FACES_AT_ONCE >= len(gone)
            with self._step(ids, subjects if is_last else [], removes=True):
                for spec in self.specs.values():
                    self.db.templates(spec).drop(ids)
                self.db.faces.drop(ids)
                self.db.subjects.drop(subjects if is_last else [])
        if not gone:
            self.db.subjects.drop(subjects)
        for model, lost in unit.gone_templates.items():
            self.db.templates(self.specs[model]).drop(sorted(lost - set(gone)))

    def _template_rows(self, put: NewTemplates) -> list[Row]:
        first = self.db.server.now()
        vectors = dequantise(put.vectors)
        quality = np.where(np.isnan(put.quality), UNKNOWN_QUALITY, put.quality)
        return [
            {
                "face_id": face, "template_id": first + i, "quality": float(quality[i]),
                "bytes": to_text(put.vectors[i]), "vector": vectors[i],
            }
            for i, face in enumerate(put.face_id.tolist())
        ]  # fmt: skip

    @contextmanager
    def _step(
        self, face_id: Sequence[int], subject_id: Sequence[int], *, removes: bool
    ) -> Iterator[Callable[[], None]]:
        """A step is recorded before it begins and until it has ended."""
        record, until = f"step {uuid.uuid4().hex}", time.monotonic() + STEP_S
        value = {
            "began": self.db.server.now(), "removes": removes,
            "faces": to_text(np.array(face_id, "<i8")), "subjects": to_text(np.array(subject_id, "<i8")),
        }  # fmt: skip
        self.db.records.put([{"record": record, "value": json.dumps(value)}])

        def check() -> None:
            if time.monotonic() > until:
                raise GalleryError(
                    f"{self.db.address.text}: expected a write within {STEP_S:g} s, the server is too slow; nothing "
                    "of it counts; say the same again"
                )

        yield check
        self.db.records.drop([record])
