"""Rows of an open SQLite file, asked for by SQL and read by the names of columns."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.store.damage import Connection

Parameters = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True)
class Logged:
    """What a log says after a position.

    Attributes:
        ids: int64, shape (N,), of what it is about.
        position: of the last entry there ever was.
        is_whole: False where the log does not reach back so far.
    """

    ids: NDArray[np.int64]
    position: int
    is_whole: bool


class Rows:
    """What is asked of a connection, and written through it.

    Attributes:
        connection: open.
    """

    connection: Connection

    def stream(self, query: str, parameters: Parameters = ()) -> Iterator[sqlite3.Row]:
        """The rows of a query, one at a time.

        Raises:
            FacespaceError: of the file's kind: the file cannot be read.
        """
        yield from self.execute(query, parameters)

    def rows(self, query: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        """All rows of a query; errors as `stream`."""
        return list(self.stream(query, parameters))

    def row(self, query: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        """The first row of a query, None where there is none; errors as `stream`."""
        row: sqlite3.Row | None = self.execute(query, parameters).fetchone()
        return row

    def value(self, query: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row, None where there is none; errors as `stream`."""
        row = self.row(query, parameters)
        return None if row is None else row[0]

    def values(self, query: str, parameters: Parameters = ()) -> list[Any]:
        """The first column of all rows; errors as `stream`."""
        return [row[0] for row in self.stream(query, parameters)]

    def execute(self, statement: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        """A statement that writes, inside a `transaction`."""
        cursor = self.connection.execute(statement, parameters)
        cursor.row_factory = sqlite3.Row
        return cursor

    def execute_all(self, statement: str, parameters: Iterable[Parameters]) -> sqlite3.Cursor:
        """A statement that writes, once for each of these."""
        return self.connection.executemany(statement, parameters)

    def moment(self) -> tuple[int, int]:
        """Changes whenever this connection or another one writes."""
        return int(self.value("PRAGMA data_version")), self.connection.total_changes

    def log_after(
        self, table: str, column: str, position: int, where: str = "1", values: Sequence[Any] = ()
    ) -> Logged:
        """What a log, a table with an AUTOINCREMENT key `position`, says after a position.

        Args:
            table: the log.
            column: of ids.
            position: 0 for all.
            where: further condition, with its values.
            values: of it.
        """
        first = self.value(f"SELECT min(position) FROM {table}")
        last = self.value("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)) or 0
        ids = self.values(f"SELECT {column} FROM {table} WHERE position > ? AND {where}", (position, *values))
        is_whole = position == last or (position < last and first is not None and first <= position + 1)
        return Logged(np.array(ids, np.int64), last, is_whole)
