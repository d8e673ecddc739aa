"""Indexes of the templates of a SQLite file: held in memory, following its changes, and kept in files beside it."""

import dataclasses
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple
from weakref import WeakValueDictionary

import numpy as np

from facespace.errors import InputError, WriteError
from facespace.models import ModelSpec
from facespace.store.candidates import IndexState, moment_now, rarest
from facespace.store.cells import Cells
from facespace.store.database import Database
from facespace.store.held import Finder, HeldIndex
from facespace.store.index_files import IndexFiles, new_token
from facespace.store.nearest import ByteRows
from facespace.store.rows import Logged
from facespace.store.scan import ByteScan, faiss_if_there
from facespace.store.template_store import TemplateStore

# Fewer templates are read from the store as quickly as from a file beside it.
LEAST_TEMPLATES = 50_000
# An index is made again once so many templates, and this share of them, came or went since.
LEAST_CHANGED, CHANGED_SHARE = 20_000, 0.1
# A log of removals that no index needs is cut at so many.
LONGEST_LOG = 20_000
OF_MODEL = "model_id = (SELECT model_id FROM models WHERE sha256 = ?)"

_shared: WeakValueDictionary[Path, Cells] = WeakValueDictionary()
OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class IndexSettings:
    """How the templates of a file are searched.

    Attributes:
        exact_up_to: with more templates of a model than this an index of cells gives the candidates, which may miss
            some hits; without the extra `index` all are compared however many they are.
        least_recall: the share of the hits within a threshold that such an index has to find.
    """

    exact_up_to: int = 1_000_000
    least_recall: float = 0.98

    def __post_init__(self) -> None:
        if self.exact_up_to < 1 or not 0.0 < self.least_recall < 1.0:
            raise InputError(
                "expected exact_up_to of 1 or more and least_recall between 0 and 1, got "
                f"{self.exact_up_to} and {self.least_recall}"
            )


class _Record(NamedTuple):
    """What the file knows of the files of an index; the log of removals counts from ``removed_to`` on."""

    token: str
    removed_to: int
    built: str


@dataclass(frozen=True)
class _Held:
    """The index of one model as it was at a moment, how far it has read, and the token of its files."""

    moment: Hashable
    last_id: int
    position: int
    index: HeldIndex
    token: str | None


class SqliteIndexes:
    """The indexes of one open file, one for the templates of each model.

    Only what has changed since the last call is read, at first also what no file of an index holds. One byte a
    component is held, and 16 bytes of ids a template; of what lies in a file only what is used. A file that can only be
    read is searched with the index that is there.

    Args:
        database: an open file that has the tables.
        templates: in it.
    """

    def __init__(self, database: Database, templates: TemplateStore) -> None:
        self._database, self._templates = database, templates
        self._held: dict[str, _Held] = {}
        self.files = IndexFiles(database.path)

    @property
    def settings(self) -> IndexSettings:
        """As they stand in the file."""
        rows = self._database.rows("SELECT setting, value FROM index_settings")
        kept = {row["setting"]: row["value"] for row in rows}
        return IndexSettings(
            int(kept.get("exact_up_to", IndexSettings.exact_up_to)),
            float(kept.get("least_recall", IndexSettings.least_recall)),
        )

    def set(self, settings: IndexSettings) -> None:
        """Keep settings; they hold from the next building on."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO index_settings (setting, value) VALUES (?, ?)",
                list(dataclasses.asdict(settings).items()),
            )

    def of(self, spec: ModelSpec) -> HeldIndex:
        """See `TemplateStore.index`."""
        now, held = self._templates.moment(), self._held.get(spec.sha256)
        if held is None or held.moment != now:
            held = self._follow(spec, now, held)
            # What an open transaction has written may be taken back: it is seen, but not kept.
            if not self._database.is_writing:
                self._held[spec.sha256] = held
        return held.index

    def states(self) -> dict[str, IndexState]:
        """See `TemplateStore.index_states`; where there is no file the templates need not be read for it."""
        n_of = f"SELECT count(*) FROM templates WHERE {OF_MODEL}"
        with self._templates.snapshot():
            return {
                spec.sha256: self.of(spec).state
                if spec.sha256 in self._held or self._has_file(spec.sha256)
                else IndexState("exact", self._database.value(n_of, (spec.sha256,)))
                for spec in self._templates.models(in_use=True)
            }

    def problems(self, spec: ModelSpec) -> Iterator[str]:
        """Templates that the file of an index holds otherwise than the store."""
        if not self._has_file(spec.sha256):
            return
        n_wrong = n = 0
        with self._templates.snapshot():
            index = self.of(spec)
            for batch in self._templates.batches(model=spec.sha256, size=2**14):
                n += len(batch)
                n_wrong += int((~index.has(batch)).sum())
            if n_wrong or n != len(index):
                yield (
                    f"templates of {spec.label} that its index holds otherwise: {max(n_wrong, abs(n - len(index)))}; "
                    "build it again: facespace gallery index FILE --again"
                )

    def refresh(self, *, again: bool = False, on_step: OnStep | None = None) -> bool:
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
        used = self._templates.models(in_use=True)
        for spec in self._templates.models():
            if spec not in used:
                self._drop(spec.sha256)
        self._cut_log()
        due = [spec for spec in used if again or self._is_due(spec)]
        for spec in due:
            self._held.pop(spec.sha256, None)
        built = [self._build(spec, on_step) for spec in due]
        return all(built)

    def overwrite_removed(self) -> bool:
        """Take what is gone out of the files of the indexes, so that no byte of it is left there.

        Returns:
            False where another process builds an index just now that may hold it; it takes it out at its end.

        Raises:
            WriteError: the codes cannot be written without it.
        """
        known = [spec for spec in self._templates.models() if self._record(spec.sha256) is not None]
        done = [self._overwrite_removed(spec) for spec in known]
        return all(done)

    def _follow(self, spec: ModelSpec, now: Hashable, before: _Held | None) -> _Held:
        record = self._record(spec.sha256)
        token = None if record is None else record.token
        if before is None or before.token != token:  # somebody has built another one
            before = self._filed(spec, now, record) or self._empty(spec, now)
        gone = self._removed(spec, before.position)
        if not gone.is_whole:
            # Who cut the log has built an index, unless it is one that this process cannot read.
            before = self._empty(spec, now)
            gone = self._removed(spec, before.position)
        index, last_id = before.index, before.last_id
        if len(gone.ids):
            index = index.remove(gone.ids)
        new = list(self._templates.batches(model=spec.sha256, after=last_id, size=2**16))
        if new:
            index = index.add(new)
            last_id = int(new[-1].template_id[-1])
        return _Held(now, last_id, gone.position, index, token)

    def _filed(self, spec: ModelSpec, now: Hashable, record: _Record | None) -> _Held | None:
        """The index in the files; None where there are none, or they cannot be used."""
        rows = None if record is None else self.files.read_bytes(record.token)
        if record is None or rows is None or rows.codes.shape[1] != spec.dim:
            return None
        last_id = int(rows.template_id[-1]) if len(rows) else 0
        index = replace(
            HeldIndex.empty(spec.dim), base=rows, finder=self._finder(record.token, rows), built=record.built
        )
        return _Held(now, last_id, record.removed_to, index, record.token)

    def _empty(self, spec: ModelSpec, now: Hashable) -> _Held:
        return _Held(now, 0, self._removed(spec, 0).position, HeldIndex.empty(spec.dim), None)

    def _removed(self, spec: ModelSpec, position: int) -> Logged:
        return self._database.log_after(
            "removed_templates", "template_id", position, OF_MODEL, (spec.sha256,)
        )

    def _finder(self, token: str, rows: ByteRows) -> Finder | None:
        # What one connection has read serves all others of the process.
        path = self.files.path("cells", token)
        cells = _shared.get(path) or Cells.read(path, rows)
        if cells is not None:
            _shared[path] = cells
            return cells
        faiss = faiss_if_there()
        return None if faiss is None or not len(rows) else ByteScan(rows, faiss)

    def _record(self, model: str) -> _Record | None:
        sql = f"SELECT token, removed_to, built FROM template_indexes WHERE {OF_MODEL}"
        row = self._database.row(sql, (model,))
        return None if row is None else _Record(*row)

    def _has_file(self, model: str) -> bool:
        record = self._record(model)
        return record is not None and self.files.path("index", record.token).exists()

    def _is_due(self, spec: ModelSpec) -> bool:
        """Whether a search would profit from building the index of a model again."""
        with self._templates.snapshot():
            n = self._templates.count().get(spec.sha256, 0)
            wants_cells = n > self.settings.exact_up_to and faiss_if_there() is not None
            if not self._has_file(spec.sha256):
                return n >= LEAST_TEMPLATES or wants_cells
            index = self.of(spec)
        changed = index.n_changed > max(LEAST_CHANGED, CHANGED_SHARE * n)
        return changed or index.built is None or wants_cells != (index.state.recall is not None)

    def _build(self, spec: ModelSpec, on_step: OnStep | None) -> bool:
        """Build the index of a model's templates; False where another process or thread is at it.

        Others search with what they have, and write, meanwhile.
        """
        try:
            with self.files.building() as is_free:
                if not is_free:
                    return False
                self._write(spec, on_step)
            self._overwrite_removed(spec)  # what was removed meanwhile
            return True
        except WriteError:
            raise
        except OSError as error:
            raise WriteError(self.files.store, error) from error

    def _write(self, spec: ModelSpec, on_step: OnStep | None) -> None:
        token, settings = new_token(), self.settings
        try:
            with self._templates.snapshot():
                n = self._templates.count().get(spec.sha256, 0)
                position = self._removed(spec, 0).position
                batches = self._templates.batches(model=spec.sha256, size=2**15)
                rows = self.files.write_bytes(token, batches, n, spec.dim)
            if n > settings.exact_up_to and faiss_if_there() is not None:
                far, distance = rarest(spec)
                cells = Cells.build(
                    rows, distance=distance, far=far, least_recall=settings.least_recall, on_step=on_step
                )
                cells.write(self.files.path("cells", token))
            with self._database.transaction() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO template_indexes (model_id, token, removed_to, built)"
                    " SELECT model_id, ?, ?, ? FROM models WHERE sha256 = ?",
                    (token, position, moment_now(), spec.sha256),
                )
                self._cut_log()
        finally:
            self.files.drop_others(self._database.values("SELECT token FROM template_indexes"))

    def _overwrite_removed(self, spec: ModelSpec) -> bool:
        with self._templates.snapshot():
            index = self.of(spec)
        record = self._record(spec.sha256)
        gone = np.zeros(0, np.int64) if index.gone is None else np.flatnonzero(index.gone)
        gone = gone[index.base.face_id[gone] >= 0]
        with self.files.building() as is_free:
            if record is None or index.built is None or not len(gone):
                return is_free
            renamed = new_token()
            if isinstance(index.finder, Cells):
                index.finder.without(gone).write(self.files.path("cells", renamed))
            try:
                self.files.overwrite(record.token, renamed, gone)
            except OSError:  # where a file that is mapped cannot be renamed
                self._drop(spec.sha256)
                return is_free
            with self._database.transaction() as connection:
                connection.execute(
                    "UPDATE template_indexes SET token = ? WHERE token = ?", (renamed, record.token)
                )
        return is_free

    def _drop(self, model: str) -> None:
        """Forget the index of a model, with its files; it is made again when it is due."""
        record = self._record(model)
        if record is not None:
            with self._database.transaction() as connection:
                connection.execute("DELETE FROM template_indexes WHERE token = ?", (record.token,))
            self.files.wipe(record.token)

    def _cut_log(self) -> None:
        """Drop the removals that every index knows; without any index, all of a long log."""
        with self._database.transaction() as connection:
            first = self._database.value("SELECT min(removed_to) FROM template_indexes")
            if first is None:
                self._database.cut_log("removed_templates", LONGEST_LOG)
            else:
                connection.execute("DELETE FROM removed_templates WHERE position <= ?", (first,))
