"""One store below libraries and galleries: SQLite files with a schema history, and templates with their models."""

from facespace.store.candidates import IndexState
from facespace.store.database import Database, FileKind, Step, path_in, path_out, run_script
from facespace.store.names import (
    LONGEST_NAME,
    UNKNOWN,
    clean_name,
    name_key,
    same_name,
    shown_name,
    taken_by,
)
from facespace.store.prototypes import Census, Prototypes, work_out
from facespace.store.rows import Parameters
from facespace.store.schema import template_tables_1, template_tables_2
from facespace.store.search import Hits, Pair
from facespace.store.sqlite_indexes import IndexSettings, OnStep
from facespace.store.sqlite_templates import SqliteTemplates
from facespace.store.template_store import TemplateStore, check_rows

__all__ = [
    "LONGEST_NAME",
    "UNKNOWN",
    "Census",
    "Database",
    "FileKind",
    "Hits",
    "IndexSettings",
    "IndexState",
    "OnStep",
    "Pair",
    "Parameters",
    "Prototypes",
    "SqliteTemplates",
    "Step",
    "TemplateStore",
    "check_rows",
    "clean_name",
    "name_key",
    "path_in",
    "path_out",
    "run_script",
    "same_name",
    "shown_name",
    "taken_by",
    "template_tables_1",
    "template_tables_2",
    "work_out",
]
