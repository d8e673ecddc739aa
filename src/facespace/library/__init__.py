"""A photo library: photos on disk <-> a SQLite catalogue of faces and people."""

from facespace.library.browse import Browse, Card, Counts, PhotoView
from facespace.library.catalogue import StoredPhoto
from facespace.library.checking import Checked
from facespace.library.differences import Look
from facespace.library.exchange import Imported, LeftAlone, Skipped, Written
from facespace.library.faces import Face
from facespace.library.files import CATALOGUE, default_library_dir, find_library, library_of
from facespace.library.forget import Forgotten
from facespace.library.grouping import Rule
from facespace.library.history import Entry
from facespace.library.library import Library, PageWriter, Refreshed
from facespace.library.people import People, Person
from facespace.library.progress import ScanProgress, Stage
from facespace.library.scan import ScanResult
from facespace.library.similar import Similar, SimilarPerson
from facespace.library.upgrading import Upgrade

__all__ = [
    "CATALOGUE",
    "Browse",
    "Card",
    "Checked",
    "Counts",
    "Entry",
    "Face",
    "Forgotten",
    "Imported",
    "LeftAlone",
    "Library",
    "Look",
    "PageWriter",
    "People",
    "Person",
    "PhotoView",
    "Refreshed",
    "Rule",
    "ScanProgress",
    "ScanResult",
    "Similar",
    "SimilarPerson",
    "Skipped",
    "Stage",
    "StoredPhoto",
    "Upgrade",
    "Written",
    "default_library_dir",
    "find_library",
    "library_of",
]
