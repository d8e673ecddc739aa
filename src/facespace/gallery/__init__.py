"""Galleries: enrolled templates with their models, searched exactly; the store that libraries keep theirs in too."""

from facespace.gallery.database import Database, FileKind, Step, path_in, path_out, run_script
from facespace.gallery.enrolment import Enrolment, enrol
from facespace.gallery.exporting import export
from facespace.gallery.gallery import EnrolledFace, Gallery, Subject
from facespace.gallery.glance import Overview, overview
from facespace.gallery.identification import FPIR, Identities, identify
from facespace.gallery.matches import NEAREST, Match, search
from facespace.gallery.naming import NamedPhotos, named_by_folder, named_by_labels, read_labels
from facespace.gallery.reembed import embed_again
from facespace.gallery.removal import Removal, remove
from facespace.gallery.schema import template_tables_1
from facespace.gallery.sqlite_templates import SqliteTemplates
from facespace.gallery.template_store import Hits, Templates, TemplateStore
from facespace.gallery.upgrading import Progress, Upgrade, drop_old, progress_of, step_back, upgrade
from facespace.gallery.uses import Entry, history, model_in_use, open_model, use_model

__all__ = [
    "FPIR",
    "NEAREST",
    "Database",
    "EnrolledFace",
    "Enrolment",
    "Entry",
    "FileKind",
    "Gallery",
    "Hits",
    "Identities",
    "Match",
    "NamedPhotos",
    "Overview",
    "Progress",
    "Removal",
    "SqliteTemplates",
    "Step",
    "Subject",
    "TemplateStore",
    "Templates",
    "Upgrade",
    "drop_old",
    "embed_again",
    "enrol",
    "export",
    "history",
    "identify",
    "model_in_use",
    "named_by_folder",
    "named_by_labels",
    "open_model",
    "overview",
    "path_in",
    "path_out",
    "progress_of",
    "read_labels",
    "remove",
    "run_script",
    "search",
    "step_back",
    "template_tables_1",
    "upgrade",
    "use_model",
]
