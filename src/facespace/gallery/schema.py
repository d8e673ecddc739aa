"""The tables of a gallery file."""

import sqlite3

from facespace.errors import GalleryError
from facespace.store import FileKind, name_key, run_script, template_tables_1, template_tables_2

GALLERY_TABLES_1 = """
CREATE TABLE subjects (
    subject_id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE faces (
    face_id INTEGER PRIMARY KEY,
    subject_id INTEGER NOT NULL REFERENCES subjects ON DELETE CASCADE,
    photo ANY NOT NULL,                -- its path as it was given; bytes where the name is not UTF-8
    photo_sha256 TEXT NOT NULL,
    x0 REAL, y0 REAL, x1 REAL, y1 REAL,  -- of the box, in pixels of the upright photo; null for a ready crop
    landmarks BLOB,                    -- 10 float32, little endian: x, y of the five points; null for a ready crop
    score REAL,                        -- the detector's; null for a ready crop
    quality REAL                       -- in [0, 1]; null where it is not known
) STRICT;
CREATE INDEX faces_of_subject ON faces (subject_id);
"""

# The gallery's model is that of the last 'use'.
GALLERY_TABLES_2 = """
CREATE TABLE history (
    entry_id INTEGER PRIMARY KEY AUTOINCREMENT,
    moment TEXT NOT NULL,              -- ISO 8601, UTC
    action TEXT NOT NULL CHECK (action IN ('use', 'drop')),  -- the gallery's model from now on; templates dropped
    model_id INTEGER NOT NULL REFERENCES models,
    file TEXT,                         -- of 'use': the model's name, or where its file lay
    n_templates INTEGER                -- of 'drop': how many
) STRICT;
"""


GALLERY_TABLES_3 = """
ALTER TABLE subjects ADD COLUMN name_key TEXT NOT NULL DEFAULT '';
CREATE INDEX subjects_by_key ON subjects (name_key);
"""


# Whose prototype may have changed though nothing was added. What is added tells it by its id.
GALLERY_TABLES_5 = """
CREATE TABLE changed_subjects (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    subject_id INTEGER NOT NULL
) STRICT;
CREATE TRIGGER subject_lost_template AFTER DELETE ON templates BEGIN
    INSERT INTO changed_subjects (subject_id) SELECT subject_id FROM faces WHERE face_id = old.face_id;
END;
CREATE TRIGGER subject_lost_face AFTER DELETE ON faces BEGIN
    INSERT INTO changed_subjects (subject_id) VALUES (old.subject_id);
END;
CREATE TRIGGER face_changed_subject AFTER UPDATE OF subject_id ON faces BEGIN
    INSERT INTO changed_subjects (subject_id) VALUES (old.subject_id), (new.subject_id);
END;
CREATE TABLE subject_indexes (         -- the file of the prototypes that a model's probes are compared with
    model_id INTEGER PRIMARY KEY REFERENCES models,
    token TEXT NOT NULL
) STRICT;
"""


def _gallery_1(connection: sqlite3.Connection) -> None:
    run_script(connection, GALLERY_TABLES_1)
    template_tables_1(connection)


def _gallery_2(connection: sqlite3.Connection) -> None:
    run_script(connection, GALLERY_TABLES_2)
    # A gallery so far was all of one model, or had no say in which was its own: the newest with templates is.
    connection.execute(
        "INSERT INTO history (moment, action, model_id) SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), 'use', model_id"
        " FROM templates GROUP BY model_id ORDER BY model_id"
    )


def _gallery_3(connection: sqlite3.Connection) -> None:
    # Names that look alike have one key; earlier versions told them apart, so that it is not unique.
    run_script(connection, GALLERY_TABLES_3)
    rows = connection.execute("SELECT name, subject_id FROM subjects").fetchall()
    connection.executemany(
        "UPDATE subjects SET name_key = ? WHERE subject_id = ?", [(name_key(name), i) for name, i in rows]
    )


def _gallery_5(connection: sqlite3.Connection) -> None:
    run_script(connection, GALLERY_TABLES_5)


STEPS = (_gallery_1, _gallery_2, _gallery_3, template_tables_2, _gallery_5)
GALLERY_FILE = FileKind("gallery", 0x46474C59, STEPS, GalleryError)  # "FGLY"
