"""The tables of templates, the same in a library and in a gallery file."""

import sqlite3

from facespace.store.database import run_script

__all__ = ["template_tables_1"]

# A file with these tables has a table `faces` whose key is `face_id INTEGER PRIMARY KEY`.
# Template ids are never used twice, in the order of adding: who holds the templates up to an id in memory reads only
# the later ones, and knows by the number of templates whether any is gone.
TEMPLATE_TABLES_1 = """
CREATE TABLE models (
    model_id INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256 TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL,
    spec TEXT NOT NULL                 -- the ModelSpec as JSON; its byte_scale stays as it was when the model came
) STRICT;
CREATE TABLE templates (
    template_id INTEGER PRIMARY KEY AUTOINCREMENT,
    face_id INTEGER NOT NULL REFERENCES faces ON DELETE CASCADE,
    model_id INTEGER NOT NULL REFERENCES models,
    vector BLOB NOT NULL,              -- one signed byte a component
    quality REAL,                      -- in [0, 1]; null where it is not known
    UNIQUE (face_id, model_id)
) STRICT;
CREATE INDEX templates_of_model ON templates (model_id);
"""


def template_tables_1(connection: sqlite3.Connection) -> None:
    """Step: make the tables `models` and `templates`, empty."""
    run_script(connection, TEMPLATE_TABLES_1)
