"""Names leave with the user and come in: XMP, CSV and JSON, folders, and what other photo programs wrote."""

from facespace.library.exchange.files import Skipped, Written
from facespace.library.exchange.folders import LINKS, Sorting
from facespace.library.exchange.importing import Imported, Importing, LeftAlone
from facespace.library.exchange.sidecars import WritingXmp
from facespace.library.exchange.tables import TABLES, WritingTables

__all__ = ["LINKS", "TABLES", "Exchanging", "Imported", "LeftAlone", "Skipped", "Written"]


class Exchanging(Importing, WritingTables, WritingXmp, Sorting):
    """What a library exchanges with other programs."""
