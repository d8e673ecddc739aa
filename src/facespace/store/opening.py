"""How a file is opened: to read and write, or only to read where its disk or its rights allow no more."""

import os
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path

from facespace.saved_files import written_beside
from facespace.store.damage import Connection

BUSY_TIMEOUT_S = 30.0


def may_write(path: Path) -> bool:
    """Whether a file can be written here, with the log beside it."""
    return os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK)


def open_to_write(path: Path) -> Connection:
    """A connection to a file that is made, for its owner alone, if absent.

    Raises:
        OSError, sqlite3.Error: it cannot be.
    """
    if not path.exists():
        path.touch(mode=0o600)
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, factory=Connection)


def open_to_read(path: Path, version: int) -> Connection:
    """A connection to a file that cannot be written: to itself, else to a copy of it in memory.

    A copy is made of a file whose log holds more than it does, and of one of another schema version, which can then
    be brought up to date.

    Raises:
        OSError, sqlite3.Error: it cannot be opened.
    """
    log = path.with_name(path.name + "-wal")
    has_log = log.exists() and log.stat().st_size > 0
    # A process that writes keeps its log's index beside it, so that "ro" opens; without one nobody writes.
    for how in ("mode=ro",) if has_log else ("mode=ro", "immutable=1"):
        uri = f"{path.absolute().as_uri()}?{how}"
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, factory=Connection
        )
        try:
            if connection.execute("PRAGMA user_version").fetchone()[0] == version:
                return connection
        except sqlite3.OperationalError:
            pass
        except BaseException:
            connection.close()
            raise
        connection.close()
    return _in_memory(path, log)


def _in_memory(path: Path, log: Path) -> Connection:
    memory = sqlite3.connect(":memory:", isolation_level=None, factory=Connection)
    with tempfile.TemporaryDirectory(prefix="facespace-") as folder:
        copy = Path(folder) / path.name
        shutil.copyfile(path, copy)
        if log.exists():
            shutil.copyfile(log, copy.with_name(log.name))
        source = sqlite3.connect(copy)
        try:
            source.backup(memory)
        finally:
            source.close()
    return memory


def use_write_ahead_log(connection: sqlite3.Connection) -> None:
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


def copy_database(source: sqlite3.Connection, path: Path) -> None:
    """The file that a connection has open, as it is at one moment, in one new file for its owner alone.

    Raises:
        WriteError: it cannot be written.
        sqlite3.Error: the file is damaged, or the disk is full.
    """
    with written_beside(path, private=True) as partial:
        target = sqlite3.connect(partial, isolation_level=None)
        try:
            target.execute("PRAGMA journal_mode = OFF")  # it goes whole if it fails
            source.backup(target)
            found = target.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            target.close()
        if found != "ok":
            raise sqlite3.DatabaseError(found)
