"""The template store in Milvus: a collection of each model's templates, and candidates by its index of vectors."""

import json
from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.embed import dequantise
from facespace.errors import InputError
from facespace.models import ModelSpec
from facespace.store.candidates import CandidateIndex, Candidates, IndexState, Recall, moment_now, rarest
from facespace.store.milvus.collection import CELLS, PAGE, Collection, Row, from_text
from facespace.store.milvus.database import UNKNOWN_QUALITY, MilvusDatabase
from facespace.store.nearest import distances
from facespace.store.template_store import TemplateStore
from facespace.store.templates import NewTemplates, Templates

# So many times k candidates are asked for, and so many at least: a cell's vectors are rounded.
FACTOR, LEAST = 4, 64
# Probes of one request: what it answers stays below the server's limit of a message.
PROBES_AT_ONCE = 128
# Of the cells of a segment so many are searched.
CELLS_SEARCHED = 64
# Stored templates by which the recall is measured, and how many of the nearest faces of each count.
N_PROBES, NEAREST = 200, 5


class MilvusTemplates(TemplateStore):
    """A `TemplateStore` in Milvus.

    What it promises less than a file does: reads of a snapshot see at least what had been acknowledged when it began,
    and may see later writes; a transaction that the server breaks off may be written in part, until the same call is
    made again; template ids follow the server's clock; deleted bytes leave the server's disks with its compaction.

    Args:
        database: an open gallery.
    """

    def __init__(self, database: MilvusDatabase) -> None:
        self._db = database

    def snapshot(self) -> AbstractContextManager[object]:
        """See `TemplateStore.snapshot`."""
        return self._db.snapshot()

    def moment(self) -> Hashable:
        """See `TemplateStore.moment`: every write leaves a new mark."""
        return self._db.read_records().get("state", "")

    def transaction(self) -> AbstractContextManager[object]:
        """See `TemplateStore.transaction`."""
        return self._db.transaction()

    def keep_model(self, spec: ModelSpec) -> None:
        """See `TemplateStore.keep_model`."""
        before = self._db.read_records().get(f"model {spec.sha256}")
        came = self._db.server.now() if before is None else json.loads(before)["came"]
        self._db.gathered.records[f"model {spec.sha256}"] = json.dumps({"came": came, "spec": spec.to_json()})

    def models(self, *, in_use: bool = False) -> tuple[ModelSpec, ...]:
        """See `TemplateStore.models`."""
        with self._db.snapshot():
            return tuple(spec for spec in self._db.models() if not in_use or self._count(spec))

    def count(self) -> dict[str, int]:
        """See `TemplateStore.count`."""
        with self._db.snapshot():
            counts = {spec.sha256: self._count(spec) for spec in self._db.models()}
        return {sha256: n for sha256, n in counts.items() if n}

    def faces(self, model: str | None = None) -> NDArray[np.int64]:
        """See `TemplateStore.faces`."""
        with self._db.snapshot():
            ids = [row["face_id"] for one in self._of(model) for row in self._rows(one, ["face_id"])]
        return np.unique(np.array(ids, np.int64))

    def put(self, new: NewTemplates) -> None:
        """See `TemplateStore.put`."""
        self._db.gathered.add_templates(new)

    def remove(self, face_id: NDArray[np.int64], *, model: str | None = None) -> int:
        """See `TemplateStore.remove`."""
        ids, n = np.unique(np.asarray(face_id, np.int64)), 0
        with self._db.transaction() as unit:
            specs = self._of(model)
            for spec in specs:
                n += len(self._there(spec, ids))
            unit.remove(ids.tolist(), [spec.sha256 for spec in specs], whole=False)
        return n

    def batches_of(self, spec: ModelSpec, after: int, size: int) -> Iterator[Templates]:
        """See `TemplateStore.batches_of`; they come by face id, and each batch has them by template id."""
        rows = self._rows(spec, where=f"template_id > {after}" if after else "", size=min(size, PAGE))
        while waiting := list(islice(rows, size)):
            yield _templates(spec, waiting)

    def of_some(self, spec: ModelSpec, face_id: NDArray[np.int64]) -> Templates | None:
        """See `TemplateStore.of_some`."""
        rows = self._there(spec, face_id, None)
        return _templates(spec, rows) if rows else None

    def index(self, spec: ModelSpec) -> "MilvusIndex":
        """See `TemplateStore.index`."""
        with self._db.snapshot():
            n, hidden = self._count(spec), self._hidden()
            return MilvusIndex(self._db, self._db.templates(spec), spec, n, hidden, self._measured(spec))

    def _measured(self, spec: ModelSpec) -> dict[str, Any] | None:
        """What `measure` kept."""
        kept: dict[str, Any] | None = json.loads(self._db.read_records().get(f"recall {spec.sha256}", "null"))
        return kept

    def measure(self, spec: ModelSpec) -> Recall:
        """How many of the hits within the threshold Milvus names, by comparison with a search of all its cells.

        The probes are stored templates, without themselves; what was measured is kept, and reported by the index.
        """
        far, near = rarest(spec)
        with self.snapshot():
            index, start = self.index(spec), int(np.random.default_rng(0).integers(2**62))
            rows = index.templates.page(f"face_id >= {start}", N_PROBES) or index.templates.page(
                "face_id >= 0", N_PROBES
            )
            probes = _templates(spec, rows)
            some, all_ = (_within(index, probes, near, cells) for cells in (CELLS_SEARCHED, CELLS))
        n_hits = sum(map(len, all_))
        n_found = sum(len(a & b) for a, b in zip(some, all_, strict=True))
        recall = Recall(n_found / n_hits if n_hits else 1.0, n_hits, NEAREST, far, "stored")
        value = {
            "recall": asdict(recall),
            "n": index.n,
            "built": moment_now(),
        }
        self._db.put_record(f"recall {spec.sha256}", json.dumps(value))
        return recall

    def is_due(self, spec: ModelSpec) -> bool:
        """Whether the recall was never measured, or for half as many templates."""
        with self.snapshot():
            kept = self._measured(spec)
            return kept is None or self._count(spec) > 2 * kept["n"]

    def n_broken(self, spec: ModelSpec) -> int:
        """See `TemplateStore.n_broken`."""
        rows = self._rows(spec, ["face_id", "bytes"])
        return sum(len(from_text(row["bytes"], "i1")) != spec.dim for row in rows)

    def _hidden(self) -> frozenset[int]:
        """Ids of faces that have templates and are not in the gallery: on their way out or not yet in."""
        coming = self._db.coming().tolist()
        there = {row["face_id"] for row in self._db.faces.get(coming, ["face_id"])}
        return frozenset(self._db.gone().tolist()) | frozenset(one for one in coming if one not in there)

    def _count(self, spec: ModelSpec) -> int:
        hidden = self._hidden()
        n = self._db.templates(spec).count()
        return n - (len(self._db.templates(spec).get(sorted(hidden), ["face_id"])) if hidden else 0)

    def _rows(
        self, spec: ModelSpec, fields: Sequence[str] | None = None, *, where: str = "", size: int = PAGE
    ) -> Iterator[Row]:
        hidden = self._hidden()
        rows = self._db.templates(spec).scan(fields, where=where, size=size)
        return (row for row in rows if row["face_id"] not in hidden)

    def _there(
        self, spec: ModelSpec, face_id: NDArray[np.int64], fields: Sequence[str] | None = ("face_id",)
    ) -> list[Row]:
        hidden = self._hidden()
        wanted = [one for one in face_id.tolist() if one not in hidden]
        return self._db.templates(spec).get(wanted, fields)


def _templates(spec: ModelSpec, rows: list[Row]) -> Templates:
    rows = sorted(rows, key=lambda row: row["template_id"])
    quality = np.array([row["quality"] for row in rows], np.float32)
    quality[quality == UNKNOWN_QUALITY] = np.nan
    return Templates(
        spec.sha256, np.array([row["template_id"] for row in rows], np.int64),
        np.array([row["face_id"] for row in rows], np.int64),
        np.stack([from_text(row["bytes"], "i1") for row in rows]),
        quality,
    )  # fmt: skip


def _within(index: "MilvusIndex", probes: Templates, near: float, cells: int) -> list[set[int]]:
    """The faces within a distance of each of some stored templates, among the nearest ones, without itself."""
    found = replace(index, cells=cells).search(probes.vectors, NEAREST + 1)
    distance = distances(probes.vectors, found.vectors)
    distance[(found.face_id < 0) | (found.face_id == probes.face_id[:, None])] = np.inf
    best = np.argsort(distance, axis=1, kind="stable")[:, :NEAREST]
    ids, apart = np.take_along_axis(found.face_id, best, 1), np.take_along_axis(distance, best, 1)
    return [set(row[d <= near].tolist()) for row, d in zip(ids, apart, strict=True)]


@dataclass(frozen=True)
class MilvusIndex(CandidateIndex):
    """The templates of one model, found by Milvus's index of their vectors.

    Attributes:
        database: the open gallery.
        templates: the collection.
        spec: of the model.
        n: how many there are.
        hidden: ids of faces that take no part.
        measured: what `MilvusTemplates.measure` kept; None where nothing was.
        cells: of each segment of Milvus that are searched.
    """

    database: MilvusDatabase
    templates: Collection
    spec: ModelSpec
    n: int
    hidden: frozenset[int]
    measured: dict[str, Any] | None = None
    cells: int = CELLS_SEARCHED

    @property
    def state(self) -> IndexState:
        """See `CandidateIndex.state`."""
        known = self.measured
        recall, built = (None, None) if known is None else (Recall(**known["recall"]), known["built"])
        return IndexState("milvus", self.n, recall=recall, built=built)

    def holds(self, face_id: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See `CandidateIndex.holds`."""
        ids = np.unique(face_id[face_id >= 0] if len(face_id) else face_id).tolist()
        there = [row["face_id"] for row in self.templates.get(ids, ["face_id"])]
        return np.isin(face_id, [one for one in there if one not in self.hidden])

    def search(
        self, probes: NDArray[np.int8], k: int, *, before: Sequence[CandidateIndex] = ()
    ) -> Candidates:
        """See `CandidateIndex.search`; as far as Milvus names them."""
        if k > PAGE:
            raise InputError(f"k: expected at most {PAGE:,} in a gallery of Milvus, got {k}")
        found: list[list[Row]] = []
        for start in range(0, len(probes) if self.n else 0, PROBES_AT_ONCE):
            found += self._search(probes[start : start + PROBES_AT_ONCE], k, before)
        width = max(map(len, found), default=0)
        ids = np.full((len(probes), width), -1, np.int64)
        vectors = np.zeros((len(probes), width, self.spec.dim), np.int8)
        for i, rows in enumerate(found):
            for j, row in enumerate(rows):
                ids[i, j] = row["face_id"]
                vectors[i, j] = from_text(row["bytes"], "i1")
        return Candidates(ids, vectors)

    def _search(self, probes: NDArray[np.int8], k: int, before: Sequence[CandidateIndex]) -> list[list[Row]]:
        limit = min(max(FACTOR * k, LEAST), PAGE)
        while True:
            with self.database.snapshot():
                found = self.templates.nearest(
                    dequantise(probes), limit, ["face_id", "bytes"], {"nprobe": self.cells}
                )
            kept = self._taking_part(found, before)
            # Where others' faces stand in front, more are asked for.
            if limit >= min(self.n, PAGE) or min(map(len, kept)) >= min(k, self.n):
                return kept
            limit = min(4 * limit, PAGE)

    def _taking_part(self, found: list[list[Row]], before: Sequence[CandidateIndex]) -> list[list[Row]]:
        ids = np.unique([row["face_id"] for rows in found for row in rows]).astype(np.int64)
        taken = set(self.hidden)
        for other in before:
            taken |= set(ids[other.holds(ids)].tolist())
        return [[row for row in rows if row["face_id"] not in taken] for rows in found]
