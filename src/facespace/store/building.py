"""Indexes of the templates of a SQLite file, in files beside it: built when they are due, read, and overwritten."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError, WriteError
from facespace.models import ModelSpec
from facespace.store.cells import Cells, Wanted
from facespace.store.database import Database
from facespace.store.followed import Filed, FollowedTemplates
from facespace.store.held import Finder, HeldIndex
from facespace.store.index_files import IndexFiles, new_token
from facespace.store.nearest import ByteRows
from facespace.store.scan import ByteScan, faiss_if_there

# Fewer templates are read from the store as quickly as from a file beside it.
LEAST_TEMPLATES = 50_000
# An index is made again once so many templates, and this share of them, came or went since.
LEAST_CHANGED, CHANGED_SHARE = 20_000, 0.1
# A log of removals that no index needs is cut at so many.
LONGEST_LOG = 20_000

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


class SqliteIndexes:
    """The indexes of one open file.

    A file that can only be read is searched with the index that is there.

    Args:
        database: an open file that has the tables.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.files = IndexFiles(database.path)

    @property
    def settings(self) -> IndexSettings:
        """As they stand in the file."""
        rows = dict(self._database.connection.execute("SELECT setting, value FROM index_settings").fetchall())
        default = IndexSettings()
        return IndexSettings(
            int(rows.get("exact_up_to", default.exact_up_to)),
            float(rows.get("least_recall", default.least_recall)),
        )

    def set(self, settings: IndexSettings) -> None:
        """Keep settings; they hold from the next building on."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO index_settings (setting, value) VALUES (?, ?)",
                list(dataclasses.asdict(settings).items()),
            )

    def token(self, model: str) -> str | None:
        """See `FollowedTemplates.token`."""
        row = self._record(model)
        return None if row is None else row[0]

    def has_file(self, model: str) -> bool:
        """Whether there is a file of the index of the model with that sha256."""
        token = self.token(model)
        return token is not None and self.files.bytes_path(token).exists()

    def filed(self, spec: ModelSpec, token: str) -> Filed | None:
        """See `FollowedTemplates.filed`."""
        row, rows = self._record(spec.sha256), self.files.read_bytes(token)
        if row is None or row[0] != token or rows is None or rows.codes.shape[1] != spec.dim:
            return None
        return Filed(
            token, row[1], HeldIndex(rows, None, ByteRows.empty(spec.dim), self._finder(token, rows), row[2])
        )

    def _finder(self, token: str, rows: ByteRows) -> Finder | None:
        # What one connection has read serves all others of the process.
        path = self.files.cells_path(token)
        cells = _shared.get(path) or Cells.read(path, rows)
        if cells is not None:
            _shared[path] = cells
            return cells
        faiss = faiss_if_there()
        return None if faiss is None or not len(rows) else ByteScan(rows, faiss)

    def _record(self, model: str) -> tuple[str, int, str] | None:
        row: tuple[str, int, str] | None = self._database.connection.execute(
            "SELECT token, removed_to, built FROM template_indexes JOIN models USING (model_id) WHERE sha256 = ?",
            (model,),
        ).fetchone()
        return row

    def is_due(self, templates: FollowedTemplates, spec: ModelSpec) -> bool:
        """Whether a search would profit from building the index of a model again."""
        with templates.snapshot():
            n = templates.count().get(spec.sha256, 0)
            wants_cells = n > self.settings.exact_up_to and faiss_if_there() is not None
            if not self.has_file(spec.sha256):
                return n >= LEAST_TEMPLATES or wants_cells
            index = templates.index(spec)
        changed = index.n_changed > max(LEAST_CHANGED, CHANGED_SHARE * n)
        return changed or index.built is None or wants_cells != (index.state.recall is not None)

    def build(self, templates: FollowedTemplates, spec: ModelSpec, *, on_step: OnStep | None = None) -> bool:
        """Build the index of a model's templates; False where another process or thread is at it.

        Others search with what they have, and write, meanwhile.

        Raises:
            WriteError: there is no room for the files, or no right to write them.
            FacespaceError: of the file's kind.
        """
        try:
            with self.files.building() as is_free:
                if not is_free:
                    return False
                self._build(templates, spec, on_step)
            with templates.snapshot():  # what was removed meanwhile
                index = templates.index(spec)
            self.overwrite_removed(index, spec)
            return True
        except WriteError:
            raise
        except OSError as error:
            raise WriteError(self.files.store, error) from error

    def _build(self, templates: FollowedTemplates, spec: ModelSpec, on_step: OnStep | None) -> None:
        token, settings = new_token(), self.settings
        try:
            with self._database.snapshot():
                n = templates.count().get(spec.sha256, 0)
                position = self.last_removal()
                batches = templates.batches(model=spec.sha256, size=2**15)
                rows = self.files.write_bytes(token, batches, n, spec.dim)
            if n > settings.exact_up_to and faiss_if_there() is not None:
                far, distance = rarest(spec)
                wanted = Wanted(distance, far, settings.least_recall)
                Cells.build(rows, wanted, on_step=on_step).write(self.files.cells_path(token))
            with self._database.transaction() as connection:
                connection.execute(
                    "INSERT OR REPLACE INTO template_indexes (model_id, token, removed_to, built)"
                    " SELECT model_id, ?, ?, ? FROM models WHERE sha256 = ?",
                    (token, position, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), spec.sha256),
                )
                self.cut_log()
        finally:
            known = {
                row[0] for row in self._database.connection.execute("SELECT token FROM template_indexes")
            }
            self.files.drop_others(known)

    def overwrite_removed(self, index: HeldIndex, spec: ModelSpec) -> bool:
        """Take what is gone out of the files of an index, so that no byte of it is left there.

        Returns:
            False where another process builds an index just now that may hold it; it takes it out at its end.

        Raises:
            WriteError: the codes cannot be written without it.
        """
        row = self._record(spec.sha256)
        gone = np.zeros(0, np.int64) if index.gone is None else np.flatnonzero(index.gone)
        gone = gone[index.base.face_id[gone] >= 0]
        with self.files.building() as is_free:
            if row is not None and index.built is not None and len(gone):
                self._overwrite(index, row[0], gone, spec)
        return is_free

    def _overwrite(self, index: HeldIndex, token: str, gone: NDArray[np.int64], spec: ModelSpec) -> None:
        renamed = new_token()
        if isinstance(index.finder, Cells):
            index.finder.without(gone).write(self.files.cells_path(renamed))
        try:
            self.files.overwrite(token, renamed, gone)
        except OSError:  # where a file that is mapped cannot be renamed
            self.drop(spec.sha256)
            return
        with self._database.transaction() as connection:
            connection.execute("UPDATE template_indexes SET token = ? WHERE token = ?", (renamed, token))

    def drop(self, model: str) -> None:
        """Forget the index of a model, with its files; it is made again when it is due."""
        row = self._record(model)
        if row is not None:
            with self._database.transaction() as connection:
                connection.execute("DELETE FROM template_indexes WHERE token = ?", (row[0],))
            self.files.wipe(row[0])

    def last_removal(self) -> int:
        """The position of the last removal in the log."""
        row = self._database.connection.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = 'removed_templates'"
        ).fetchone()
        return 0 if row is None else int(row[0])

    def cut_log(self) -> None:
        """Drop the removals that every index knows; without any index, all of a long log."""
        with self._database.transaction() as connection:
            (first,) = connection.execute("SELECT min(removed_to) FROM template_indexes").fetchone()
            (n,) = connection.execute("SELECT count(*) FROM removed_templates").fetchone()
            if first is not None or n > LONGEST_LOG:
                last = self.last_removal() if first is None else first
                connection.execute("DELETE FROM removed_templates WHERE position <= ?", (last,))


def rarest(spec: ModelSpec) -> tuple[float, float]:
    """The rarest false-accept rate that a model is calibrated at, and its distance; FAR 1 and 4 for none."""
    known = {float(far): d for far, d in spec.distances.items() if d is not None}
    return min(known.items()) if known else (1.0, 4.0)
