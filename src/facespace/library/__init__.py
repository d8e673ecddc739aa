"""A photo library: photos on disk <-> a SQLite catalogue of faces and people."""

from facespace.library.catalogue import CATALOGUE, StoredFaces, StoredPhoto
from facespace.library.exchange import (
    Imported,
    LeftAlone,
    Skipped,
    Written,
    export_people,
    sort_into_folders,
    write_copies,
    write_sidecars,
)
from facespace.library.forget import Forgotten
from facespace.library.history import Entry
from facespace.library.library import Library
from facespace.library.location import default_library_dir, find_library
from facespace.library.people import People, Person, PersonFace, group_people
from facespace.library.scan import ScanResult, scan
from facespace.library.scan_progress import ScanProgress
from facespace.library.upgrading import Upgrade, library_model, reading_embedder, upgrade
from facespace.library.watch import watch

__all__ = [
    "CATALOGUE",
    "Entry",
    "Forgotten",
    "Imported",
    "LeftAlone",
    "Library",
    "People",
    "Person",
    "PersonFace",
    "ScanProgress",
    "ScanResult",
    "Skipped",
    "StoredFaces",
    "StoredPhoto",
    "Upgrade",
    "Written",
    "default_library_dir",
    "export_people",
    "find_library",
    "group_people",
    "library_model",
    "reading_embedder",
    "scan",
    "sort_into_folders",
    "upgrade",
    "watch",
    "write_copies",
    "write_sidecars",
]
