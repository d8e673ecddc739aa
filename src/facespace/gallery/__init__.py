"""Galleries: enrolled templates with their models, searched exactly."""

from facespace.gallery.enrolment import Enrolment, enrol
from facespace.gallery.exporting import export
from facespace.gallery.gallery import EnrolledFace, Gallery, Subject
from facespace.gallery.glance import Overview, overview
from facespace.gallery.identification import FPIR, Identities, identify
from facespace.gallery.matches import NEAREST, Match, search
from facespace.gallery.naming import NamedPhotos, named_by_folder, named_by_labels, read_labels
from facespace.gallery.reembed import embed_again
from facespace.gallery.removal import Removal, remove
from facespace.gallery.upgrading import Progress, Upgrade, drop_old, progress_of, step_back, upgrade
from facespace.gallery.uses import Entry, history, model_in_use, open_model, use_model

__all__ = [
    "FPIR",
    "NEAREST",
    "EnrolledFace",
    "Enrolment",
    "Entry",
    "Gallery",
    "Identities",
    "Match",
    "NamedPhotos",
    "Overview",
    "Progress",
    "Removal",
    "Subject",
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
    "progress_of",
    "read_labels",
    "remove",
    "search",
    "step_back",
    "upgrade",
    "use_model",
]
