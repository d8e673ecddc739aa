"""A SQLite file of ours: opened, made or brought to the current schema, and written all or nothing.

A kind of file is a list of steps. Step i brings a file of version i to version i + 1, the first one makes the
tables in an empty file; so a new file and an old one go the same way and end alike. A step is never changed once
it has been released: what comes later is a further step at the end of the list.
"""

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from json import JSONDecodeError
from pathlib import Path

from facespace.errors import FacespaceError, InputError
from facespace.store.damage import cause_of, damage_line
from facespace.store.opening import copy_database, may_write, open_to_read, open_to_write, use_write_ahead_log
from facespace.store.rows import Rows

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


class Database(Rows):
    """An open file; belongs to the thread that opened it.

    The journal is a write-ahead log, so that readers and one writer do not wait for each other. With
    `synchronous = NORMAL` a commit has been handed to the operating system when it returns: it outlives the
    process, killed at whatever moment. Only a loss of power can take the last commits back, whole ones,
    and never damages the file; FULL would pay a flush of the disk a commit against that.

    A file on a disk that cannot be written, or of somebody else, is opened to be read: nothing is written then, to it
    or beside it. Before missing steps are taken the file as it was is kept beside it, until the next ones.

    Args:
        path: made, for its owner alone, if absent.
        kind: what is expected inside.
        create: False makes an absent file an error.

    Raises:
        FacespaceError: of the kind, here and by every read and write: the file is not of this kind, of a newer
            version, damaged, locked or not writable, or absent.

    Attributes:
        path: as given.
        kind: likewise.
        read_only: whether it can only be read.
        connection: to read from; writes go through `transaction`.
    """

    def __init__(self, path: Path, kind: FileKind, *, create: bool = True) -> None:
        self.path = path
        self.kind = kind
        self._depth = 0  # of transactions inside one another
        if not create and not (path.exists() and path.stat().st_size):
            met = "the file is empty" if path.exists() else "there is no such file"
            raise kind.error(f"{path}: expected a facespace {kind.noun}, {met}")
        self.read_only = path.exists() and not may_write(path)
        try:
            self.connection = open_to_read(path, kind.version) if self.read_only else open_to_write(path)
            try:
                self._prepare()
            except BaseException:
                self.connection.close()
                raise
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raise self._explain(error, "open") from error
        self.connection.explain = self._explain

    def close(self, error: BaseException | None = None) -> None:
        """Close the file.

        Args:
            error: with which its use ends; one that damaged rows may have caused is reported as such.

        Raises:
            FacespaceError: of the kind: the file is damaged, which has caused ``error``.
        """
        suspect = isinstance(error, ValueError | TypeError | LookupError | AssertionError)
        try:
            if suspect and not isinstance(error, FacespaceError):
                found = self.problems(limit=1)
                if found or isinstance(error, JSONDecodeError):  # what is kept as JSON was written as such
                    raise self.damaged(found[0] if found else str(error)) from error
        finally:
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
        if self.read_only:
            raise self.kind.error(
                f"{self.path}: the {self.kind.noun} can only be read: its disk or its rights allow no more; "
                "copy it to a folder of your own to change it"
            )
        begin, commit, undo = _NESTED if self.is_writing else _OUTERMOST
        self._depth += 1
        try:
            # Inside what undoes it: Ctrl-C may come when it has begun and `execute` has not returned yet.
            try:
                self.connection.execute(begin)
                yield self.connection
                self.connection.execute(commit)
            except BaseException:
                self._undo(undo)
                raise
        except sqlite3.Error as error:
            raise self._explain(error) from error
        finally:
            self._depth -= 1

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """All reads inside see the file at one moment, whatever others write meanwhile.

        Raises:
            FacespaceError: of the file's kind: the file cannot be read.
        """
        nested = self.connection.in_transaction
        try:
            if not nested:
                self.connection.execute("BEGIN")
            yield self.connection
        finally:
            if not nested:
                self._undo(("ROLLBACK",))

    def cut_log(self, table: str, longest: int) -> None:
        """Drop all entries of a log that has more than so many."""
        with self.transaction() as connection:
            if self.value(f"SELECT count(*) FROM {table}") > longest:
                connection.execute(f"DELETE FROM {table}")

    def checkpoint(self) -> bool:
        """Bring the write-ahead log into the file and empty it; False where another process still reads from it."""
        busy, _, _ = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def scrub(self) -> None:
        """Write the file again, so that no byte of what was deleted is left in it, its log or its kept backups.

        Raises:
            FacespaceError: of the file's kind: another process uses the file; what was deleted stays so.
        """
        assert not self.is_writing, "a transaction cannot be open"
        self.connection.execute("VACUUM")
        self.drop_kept()
        if not self.checkpoint():
            raise self.kind.error(
                f"{self.path}: what was forgotten is out of the {self.kind.noun}, but another process holds the file "
                "open, so that traces stay on the disk; close it and say the same again"
            )

    def backup(self, path: Path) -> None:
        """Copy the file as it is at this moment, while others may write it, in one step.

        Raises:
            InputError: something else stands at ``path``.
            WriteError: the copy cannot be written.
            FacespaceError: of the file's kind: the file is damaged.
        """
        if path.exists() and (path.is_dir() or path.samefile(self.path) or not _is_of(path, self.kind)):
            raise InputError(
                f"{path}: expected no file there, or an older backup of a {self.kind.noun}; name another"
            )
        try:
            copy_database(self.connection, path)
        except sqlite3.Error as error:
            raise self._explain(error) from error

    def kept(self) -> list[Path]:
        """Files of earlier versions that were kept beside this one before it was brought up to date."""
        return sorted(self.path.parent.glob(f"{escape(self.path.name)}.v*.backup"))

    def drop_kept(self) -> None:
        """Remove these: what is removed from a file for good must not live on beside it."""
        for backup in self.kept():
            backup.unlink(missing_ok=True)

    def problems(self, *, limit: int = 20) -> tuple[str, ...]:
        """What is wrong with the file's pages, indexes and references, a line each; empty for a sound one."""
        try:
            rows = self.connection.execute(f"PRAGMA integrity_check({limit})").fetchall()
            lost = self.connection.execute("PRAGMA foreign_key_check").fetchall()
        except (sqlite3.Error, FacespaceError) as error:
            return (str(error.__cause__ or error),)
        tables = Counter(f"of {row[0]} refer to rows of {row[2]} that are not there" for row in lost)
        return (
            *(str(row[0]).replace("\n", " ") for row in rows if row[0] != "ok"),
            *(f"{n} rows {which}" for which, n in tables.items()),
        )

    def damaged(self, cause: str) -> FacespaceError:
        """The error that the file is damaged, for whoever reads a row that cannot be."""
        return self.kind.error(damage_line(self.path, self.kind.noun, cause, self.kept()))

    def _explain(self, error: Exception, verb: str = "") -> FacespaceError:
        cause = cause_of(error)
        if cause is not None:
            return self.damaged(cause)
        verb = verb or ("write" if self.is_writing else "read")
        return self.kind.error(f"{self.path}: cannot {verb} the {self.kind.noun}: {error}")

    def _undo(self, statements: tuple[str, ...]) -> None:
        # Nothing to undo: an interrupt has closed the file already, or came before the part began or after it ended.
        with suppress(sqlite3.Error):
            # SQLite itself ends the transaction where the disk is full.
            if self.connection.in_transaction:
                for statement in statements:
                    sqlite3.Connection.execute(self.connection, statement)

    def _prepare(self) -> None:
        # Looked at before anything is set: a file of another program stays as it is to the byte.
        version = self._checked_version()
        if not self.read_only:
            use_write_ahead_log(self.connection)
            self.connection.execute("PRAGMA synchronous = NORMAL")
            # Faces are personal: what is deleted is overwritten, not only forgotten.
            self.connection.execute("PRAGMA secure_delete = ON")
        if version < self.kind.version:
            # Tables are rebuilt by steps; with keys enforced, dropping the old one would empty those that refer to it.
            self.connection.execute("PRAGMA foreign_keys = OFF")
            self._bring_up_to_date()
        self.connection.execute(f"PRAGMA query_only = {int(self.read_only)}")
        self.connection.execute("PRAGMA foreign_keys = ON")

    def _bring_up_to_date(self) -> None:
        """Take the steps that are missing: all of them or none; another process may have been quicker."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            version = self._checked_version()
            if version and version < self.kind.version and not self.read_only:
                self._keep(version)
            for step in self.kind.steps[version:]:
                step(self.connection)
            self._check_references()
            self.connection.execute(f"PRAGMA application_id = {self.kind.application_id}")
            self.connection.execute(f"PRAGMA user_version = {self.kind.version}")
            self.connection.execute("COMMIT")
        except BaseException:
            self._undo(("ROLLBACK",))
            raise

    def _keep(self, version: int) -> None:
        """The file as it is committed, beside it; by a connection of its own, since this one is about to write."""
        earlier = self.kept()
        kept = self.path.with_name(f"{self.path.name}.v{version}.backup")
        source = sqlite3.connect(self.path)
        try:
            copy_database(source, kept)
        finally:
            source.close()
        for backup in earlier:
            if backup != kept:
                backup.unlink(missing_ok=True)

    def _check_references(self) -> None:
        broken = self.connection.execute("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise self.kind.error(
                f"{self.path}: cannot bring the {self.kind.noun} to version {self.kind.version}: {len(broken)} rows"
                f" of {broken[0][0]} refer to nothing; the file is left as it was"
            )

    def _checked_version(self) -> int:
        """The file's schema version, 0 for an empty file; only if the file is ours and not too new."""
        kind = self.kind
        if not self.value("SELECT count(*) FROM sqlite_master"):
            return 0
        if self.value("PRAGMA application_id") != kind.application_id:
            raise kind.error(
                f"{self.path}: expected a facespace {kind.noun}, met another kind of database, or a damaged one"
            )
        version = int(self.value("PRAGMA user_version"))
        if version > kind.version:
            raise kind.error(
                f"{self.path}: the {kind.noun} is of version {version}, this facespace knows up to {kind.version}; "
                "use the newer facespace that wrote it"
            )
        return version


def _is_of(path: Path, kind: FileKind) -> bool:
    """Whether the head of a file says that it is of that kind."""
    with path.open("rb") as file:
        head = file.read(100)
    return not head or (
        head[:16] == b"SQLite format 3\0" and head[68:72] == kind.application_id.to_bytes(4, "big")
    )


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
