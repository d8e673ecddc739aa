"""A SQLite file of ours: opened, made or brought to the current schema, and written all or nothing.

A kind of file is a list of steps. Step i brings a file of version i to version i + 1, the first one makes the
tables in an empty file; so a new file and an old one go the same way and end alike. A step is never changed once
it has been released: what comes later is a further step at the end of the list.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from facespace.errors import FacespaceError

__all__ = ["Database", "FileKind", "Step", "path_in", "path_out", "run_script"]

BUSY_TIMEOUT_S = 30.0

Step = Callable[[sqlite3.Connection], None]


@dataclass(frozen=True)
class FileKind:
    """What is inside a file.

    Attributes:
        noun: for messages, such as "library".
        application_id: marks the file as ours, as SQLite's header has it.
        steps: the schema's history; its length is the current version.
        error: raised for a file that is damaged, foreign, locked or of a newer version.
    """

    noun: str
    application_id: int
    steps: tuple[Step, ...]
    error: type[FacespaceError]

    @property
    def version(self) -> int:
        """The schema version that this facespace writes."""
        return len(self.steps)


class Database:
    """An open file; belongs to the thread that opened it.

    The journal is a write-ahead log, so that readers and one writer do not wait for each other. With
    `synchronous = NORMAL` a commit has been handed to the operating system when it returns: it outlives the
    process, killed at whatever moment. Only a loss of power can take the last commits back, whole ones,
    and never damages the file; FULL would pay a flush of the disk a commit against that.

    Args:
        path: made, for its owner alone, if absent.
        kind: what is expected inside.
        create: False makes an absent file an error.

    Raises:
        FacespaceError: of the kind: the file is not of this kind, of a newer version, damaged, locked or not
            writable, or absent.
    """

    def __init__(self, path: Path, kind: FileKind, *, create: bool = True) -> None:
        self.path = path
        self.kind = kind
        self._depth = 0  # of transactions inside one another
        if not create and not path.exists():
            raise kind.error(f"{path}: expected a facespace {kind.noun}, there is no such file")
        try:
            if not path.exists():
                path.touch(mode=0o600)
            self.connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self.connection.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise kind.error(f"{path}: cannot open the {kind.noun}: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    @property
    def is_writing(self) -> bool:
        """Whether a transaction is open, so that what is read may yet be taken back."""
        return self._depth > 0

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing of the statements inside; inside another transaction, a part of it that can fail alone.

        Raises:
            FacespaceError: of the file's kind: another process holds the file, or the disk refuses.
        """
        assert self.is_writing == self.connection.in_transaction, (
            "a transaction cannot begin inside a snapshot"
        )
        begin, commit, undo = _NESTED if self.is_writing else _OUTERMOST
        with self._errors("write"):
            self.connection.execute(begin)
            self._depth += 1
            try:
                yield self.connection
                self.connection.execute(commit)
            except BaseException:
                self._undo(undo)
                raise
            finally:
                self._depth -= 1

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """All reads inside see the file at one moment, whatever others write meanwhile.

        Raises:
            FacespaceError: of the file's kind: the file cannot be read.
        """
        nested = self.connection.in_transaction
        with self._errors("read"):
            if not nested:
                self.connection.execute("BEGIN")
            try:
                yield self.connection
            finally:
                if not nested:
                    self._undo(("ROLLBACK",))

    def checkpoint(self) -> bool:
        """Bring the write-ahead log into the file and empty it; False where another process still reads from it."""
        with self._errors("write"):
            busy, _, _ = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def scrub(self) -> None:
        """Write the file anew, so that no byte of what was deleted is left in it or in its log.

        Raises:
            FacespaceError: of the file's kind: another process uses the file; what was deleted stays so.
        """
        assert not self.is_writing, "a transaction cannot be open"
        with self._errors("write"):
            self.connection.execute("VACUUM")
        if not self.checkpoint():
            raise self.kind.error(
                f"{self.path}: what was forgotten is out of the {self.kind.noun}, but another process holds the file "
                "open, so that traces stay on the disk; close it and say the same again"
            )

    @contextmanager
    def _errors(self, verb: str) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self.kind.error(f"{self.path}: cannot {verb} the {self.kind.noun}: {error}") from error

    def _undo(self, statements: tuple[str, ...]) -> None:
        # A file that an interrupt has closed already has nothing to undo.
        with suppress(sqlite3.ProgrammingError):
            # SQLite itself ends the transaction where the disk is full.
            if self.connection.in_transaction:
                for statement in statements:
                    self.connection.execute(statement)

    def _prepare(self) -> None:
        # Looked at before anything is set: a file of another program stays as it is to the byte.
        version = self._checked_version()
        _use_write_ahead_log(self.connection)
        self.connection.execute("PRAGMA synchronous = NORMAL")
        # Faces are personal: what is deleted is overwritten, not only forgotten.
        self.connection.execute("PRAGMA secure_delete = ON")
        if version < self.kind.version:
            # Tables are rebuilt by steps; with keys enforced, dropping the old one would empty those that refer to it.
            self.connection.execute("PRAGMA foreign_keys = OFF")
            with self.transaction():
                self._bring_up_to_date()
        self.connection.execute("PRAGMA foreign_keys = ON")

    def _bring_up_to_date(self) -> None:
        """Take the steps that are missing: all of them or none; another process may have been quicker."""
        for step in self.kind.steps[self._checked_version() :]:
            step(self.connection)
        broken = self.connection.execute("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise self.kind.error(
                f"{self.path}: cannot bring the {self.kind.noun} to version {self.kind.version}: {len(broken)} rows"
                f" of {broken[0][0]} refer to nothing; the file is left as it was"
            )
        self.connection.execute(f"PRAGMA application_id = {self.kind.application_id}")
        self.connection.execute(f"PRAGMA user_version = {self.kind.version}")

    def _checked_version(self) -> int:
        """The file's schema version, 0 for an empty file; only if the file is ours and not too new."""
        kind = self.kind
        if not self.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return 0
        if self.connection.execute("PRAGMA application_id").fetchone()[0] != kind.application_id:
            raise kind.error(f"{self.path}: expected a facespace {kind.noun}, met another kind of database")
        version = int(self.connection.execute("PRAGMA user_version").fetchone()[0])
        if version > kind.version:
            raise kind.error(
                f"{self.path}: the {kind.noun} is of version {version}, this facespace knows up to {kind.version}; "
                "use the newer facespace that wrote it"
            )
        return version


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Also while another process does so: SQLite refuses at once, without waiting, where two change it together."""
    patience = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > patience:
                raise
            time.sleep(0.01)


_OUTERMOST = ("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
_NESTED = ("SAVEPOINT part", "RELEASE part", ("ROLLBACK TO part", "RELEASE part"))


def run_script(connection: sqlite3.Connection, script: str) -> None:
    """Execute the statements of ``script`` inside the open transaction (`executescript` would commit it)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    assert not statement.strip(), f"a statement without an end: {statement}"


def path_in(path: str) -> str | bytes:
    """A path as a value of a column: SQLite text is UTF-8, a name whose bytes are not is kept as its bytes."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return os.fsencode(path)
    return path


def path_out(path: str | bytes) -> str:
    """The path that `path_in` made a value of."""
    return os.fsdecode(path)
