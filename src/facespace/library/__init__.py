"""A photo library: photos on disk <-> a SQLite catalogue of faces and people."""

from facespace.library.library import Library, StoredFaces, StoredPhoto
from facespace.library.location import default_library_dir
from facespace.library.people import People, Person, PersonFace, group_people
from facespace.library.scan import ScanResult, scan

__all__ = [
    "Library",
    "People",
    "Person",
    "PersonFace",
    "ScanResult",
    "StoredFaces",
    "StoredPhoto",
    "default_library_dir",
    "group_people",
    "scan",
]
