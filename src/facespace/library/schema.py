"""The catalogue's tables: the history of their schema, step by step."""

import sqlite3

from facespace.errors import LibraryError
from facespace.gallery import FileKind, run_script, template_tables_1

__all__ = ["LIBRARY_FILE"]

# A step is never changed once it has been released; see facespace.gallery.database.
CATALOGUE_1 = """
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

# The template store's own tables take the place of the first ones: a number in place of a hash with every template,
# and its quality beside it.
ASIDE_2 = """
ALTER TABLE models RENAME TO models_1;
ALTER TABLE templates RENAME TO templates_1;
"""
CATALOGUE_2 = """
INSERT INTO models (sha256, label, spec) SELECT sha256, name, spec FROM models_1 ORDER BY rowid;
INSERT INTO templates (face_id, model_id, vector, quality)
    SELECT face_id, model_id, vector, quality
    FROM templates_1 JOIN models ON models.sha256 = templates_1.model JOIN faces USING (face_id)
    ORDER BY face_id, model_id;
DROP TABLE templates_1;
CREATE TABLE photos_2 (
    photo_id INTEGER PRIMARY KEY,
    path ANY NOT NULL UNIQUE,          -- relative to the photo folder; bytes where the name is not UTF-8
    sha256 TEXT,                       -- of the content; null where it could not be read
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    width INTEGER,                     -- of the upright picture, in pixels
    height INTEGER,
    detector TEXT REFERENCES models (sha256),
    embedder TEXT REFERENCES models (sha256),
    unreadable TEXT                    -- why there is nothing to see, else null
) STRICT;
INSERT INTO photos_2 SELECT * FROM photos;
DROP TABLE photos;
DROP TABLE models_1;
ALTER TABLE photos_2 RENAME TO photos;
"""


def _catalogue_1(connection: sqlite3.Connection) -> None:
    run_script(connection, CATALOGUE_1)


def _catalogue_2(connection: sqlite3.Connection) -> None:
    run_script(connection, ASIDE_2)
    template_tables_1(connection)
    run_script(connection, CATALOGUE_2)


LIBRARY_FILE = FileKind("library", 0x46414345, (_catalogue_1, _catalogue_2), LibraryError)  # "FACE"
