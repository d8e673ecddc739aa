"""The tables of templates, the same in a library and in a gallery file."""

import sqlite3

from facespace.store.database import run_script

# A file with these tables has a table `faces` whose key is `face_id INTEGER PRIMARY KEY`.
# Template ids are never used twice, in the order of adding: who holds the templates up to an id reads only the later
# ones.
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


# Who holds templates learns here which of them are gone, however they went; only their numbers stay. The log is cut
# when an index is built: one that has read less far is made again. A file of an index is that of a gallery if the
# gallery names its token, which only those that built it have written: one of another history never passes for it.
TEMPLATE_TABLES_2 = """
CREATE TABLE removed_templates (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    template_id INTEGER NOT NULL,
    model_id INTEGER NOT NULL
) STRICT;
CREATE TRIGGER template_removed AFTER DELETE ON templates BEGIN
    INSERT INTO removed_templates (template_id, model_id) VALUES (old.template_id, old.model_id);
END;
CREATE TABLE template_indexes (        -- the file of the index of a model's templates, beside this one
    model_id INTEGER PRIMARY KEY REFERENCES models,
    token TEXT NOT NULL,
    removed_to INTEGER NOT NULL,       -- the position up to which it knows what was removed
    built TEXT NOT NULL                -- ISO 8601, UTC
) STRICT;
CREATE TABLE index_settings (
    setting TEXT PRIMARY KEY,          -- a field of IndexSettings
    value REAL NOT NULL
) STRICT;
"""


def template_tables_2(connection: sqlite3.Connection) -> None:
    """Step: log what is removed of the templates, and remember which files of indexes belong to them."""
    run_script(connection, TEMPLATE_TABLES_2)
