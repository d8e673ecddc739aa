"""The catalogue's tables, schema version 1, and opening the file they stand in."""

import sqlite3
from pathlib import Path

from facespace.errors import LibraryError

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "open_catalogue"]

SCHEMA_VERSION = 1
APPLICATION_ID = 0x46414345  # "FACE"
BUSY_TIMEOUT_S = 30.0

SCHEMA = """
CREATE TABLE models (
    sha256 TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    spec TEXT NOT NULL                 -- the ModelSpec as JSON: thresholds and byte scale at the time of use
) STRICT;
CREATE TABLE photos (
    photo_id INTEGER PRIMARY KEY,
    path ANY NOT NULL UNIQUE,          -- relative to the photo folder; bytes where the name is not UTF-8
    sha256 TEXT,                       -- of the content; null where it could not be read
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    width INTEGER,                     -- of the upright picture, in pixels
    height INTEGER,
    detector TEXT REFERENCES models,
    embedder TEXT REFERENCES models,
    unreadable TEXT                    -- why there is nothing to see, else null
) STRICT;
CREATE TABLE faces (
    face_id INTEGER PRIMARY KEY,
    photo_id INTEGER NOT NULL REFERENCES photos ON DELETE CASCADE,
    x0 REAL NOT NULL, y0 REAL NOT NULL, x1 REAL NOT NULL, y1 REAL NOT NULL,
    landmarks BLOB NOT NULL,           -- 10 float32, little endian: x, y of the five points
    score REAL NOT NULL,
    quality REAL NOT NULL,
    thumbnail BLOB NOT NULL            -- JPEG
) STRICT;
CREATE INDEX faces_of_photo ON faces (photo_id);
CREATE TABLE templates (
    face_id INTEGER NOT NULL REFERENCES faces ON DELETE CASCADE,
    model TEXT NOT NULL REFERENCES models,
    vector BLOB NOT NULL,              -- one signed byte a component
    PRIMARY KEY (face_id, model)
) STRICT, WITHOUT ROWID;
CREATE TABLE people (
    person_id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT
) STRICT;
CREATE TABLE assignments (
    face_id INTEGER PRIMARY KEY REFERENCES faces ON DELETE CASCADE,
    person_id INTEGER NOT NULL REFERENCES people ON DELETE CASCADE,
    state TEXT NOT NULL CHECK (state IN ('suggested', 'confirmed'))
) STRICT;
CREATE INDEX assignments_of_person ON assignments (person_id);
"""


def open_catalogue(path: Path) -> sqlite3.Connection:
    """Open the catalogue at ``path``, making it with the current schema if there is none.

    Raises:
        LibraryError: the file is not a catalogue, is of a newer version, damaged, locked or not writable.
    """
    try:
        if not path.exists():
            path.touch(mode=0o600)
        connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise LibraryError(f"{path}: cannot open the library: {error}") from error
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("BEGIN IMMEDIATE")
    try:
        _check_or_create(connection, path)
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _check_or_create(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    has_tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not has_tables:
        for statement in SCHEMA.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    elif application != APPLICATION_ID:
        raise LibraryError(f"{path}: expected a facespace library, met another program's database")
    elif version > SCHEMA_VERSION:
        raise LibraryError(
            f"{path}: the library is of version {version}, this facespace knows up to {SCHEMA_VERSION}; "
            "use the newer facespace that wrote it"
        )
