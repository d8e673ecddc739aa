"""Errors of SQLite as errors of the file: a damaged one is named, with what to do, wherever it is read."""

import shlex
import sqlite3
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

from facespace.errors import FacespaceError
from facespace.store.names import escaped

LONGEST_CAUSE = 150
Explain = Callable[[Exception], FacespaceError]

# An SQL error in a statement of ours means that the tables are not those that the version says.
_DAMAGE_CODES = frozenset(
    (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT,
     sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG)
)  # fmt: skip
# A contradiction in what is written, or a mistake in the program: whoever wrote the statement knows more.
_RAW = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError)


class Connection(sqlite3.Connection):
    """A connection whose statements raise what ``explain`` makes of SQLite's errors, once it is set."""

    explain: Explain | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> "_Cursor":
        """As of `sqlite3.Connection`, by a cursor that explains its errors."""
        return self.cursor(_Cursor).execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> "_Cursor":
        """Likewise."""
        return self.cursor(_Cursor).executemany(sql, parameters)

    def explained(self, error: Exception) -> Exception:
        """What to raise in place of an error of SQLite."""
        return error if self.explain is None or isinstance(error, _RAW) else self.explain(error)


def _explained(method: Callable[..., Any]) -> Any:
    """A method of a cursor, whose errors are those that its connection makes of them."""

    @wraps(method)
    def explaining(self: "_Cursor", *arguments: Any) -> Any:
        try:
            return method(self, *arguments)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise self.connection.explained(error) from error

    return explaining


class _Cursor(sqlite3.Cursor):
    connection: Connection
    execute = _explained(sqlite3.Cursor.execute)
    executemany = _explained(sqlite3.Cursor.executemany)
    fetchone = _explained(sqlite3.Cursor.fetchone)
    fetchall = _explained(sqlite3.Cursor.fetchall)
    __next__ = _explained(sqlite3.Cursor.__next__)


def cause_of(error: Exception) -> str | None:
    """What is wrong with a file that is damaged; None where an error tells of something else."""
    if isinstance(error, UnicodeDecodeError):
        return "text that is no UTF-8"
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)  # text that is no UTF-8 has none
    if isinstance(error, sqlite3.Error) and code & 0xFF in _DAMAGE_CODES:
        return str(error)
    return "it ends too early" if code == sqlite3.SQLITE_IOERR_SHORT_READ else None


def damage_line(path: Path, noun: str, cause: str, backups: Iterable[Path]) -> str:
    """One line: which file is damaged, how, and what to do."""
    known = ", ".join(str(backup) for backup in backups)
    return (
        f"{path}: the {noun} is damaged ({escaped(cause[:LONGEST_CAUSE])}); put a backup in its place"
        + (f" (there is {known})" if known else "")
        + f", or save what can be read: sqlite3 {shlex.quote(str(path))} .recover | sqlite3 NEW"
    )
