"""Galleries: enrolled templates with their models, searched exactly; the store that libraries keep theirs in too."""

from facespace.gallery.database import Database, FileKind, Step, path_in, path_out, run_script
from facespace.gallery.gallery import EnrolledFace, Gallery, Subject
from facespace.gallery.schema import template_tables_1
from facespace.gallery.sqlite_templates import SqliteTemplates
from facespace.gallery.template_store import Hits, Templates, TemplateStore

__all__ = [
    "Database",
    "EnrolledFace",
    "FileKind",
    "Gallery",
    "Hits",
    "SqliteTemplates",
    "Step",
    "Subject",
    "TemplateStore",
    "Templates",
    "path_in",
    "path_out",
    "run_script",
    "template_tables_1",
]
