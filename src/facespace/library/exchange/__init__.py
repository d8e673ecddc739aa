"""Names leave with the user and come in: XMP, CSV and JSON, folders, and what other photo programs wrote."""

from facespace.library.exchange.files import Skipped, Written
from facespace.library.exchange.folders import LINKS, sort_into_folders
from facespace.library.exchange.importing import Imported, LeftAlone
from facespace.library.exchange.sidecars import write_copies, write_sidecars
from facespace.library.exchange.tables import TABLES, export_people

__all__ = [
    "LINKS",
    "TABLES",
    "Imported",
    "LeftAlone",
    "Skipped",
    "Written",
    "export_people",
    "sort_into_folders",
    "write_copies",
    "write_sidecars",
]
