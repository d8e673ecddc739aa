"""Galleries: enrolled people with their templates in a file; who of them a face shows."""

from facespace.gallery.enrolment import Enrolment
from facespace.gallery.gallery import Gallery
from facespace.gallery.glance import Overview
from facespace.gallery.identification import FPIR, Identities
from facespace.gallery.loading import NameOf, names_by_folder, names_by_labels, names_of_table, parts_of
from facespace.gallery.matches import NEAREST, Match
from facespace.gallery.naming import NamedPhotos, named_by_folder, named_by_labels, read_labels
from facespace.gallery.roster import EnrolledFace, Entry, Removal, Subject
from facespace.gallery.upgrading import Progress, Upgrade

__all__ = [
    "FPIR",
    "NEAREST",
    "EnrolledFace",
    "Enrolment",
    "Entry",
    "Gallery",
    "Identities",
    "Match",
    "NameOf",
    "NamedPhotos",
    "Overview",
    "Progress",
    "Removal",
    "Subject",
    "Upgrade",
    "named_by_folder",
    "named_by_labels",
    "names_by_folder",
    "names_by_labels",
    "names_of_table",
    "parts_of",
    "read_labels",
]
