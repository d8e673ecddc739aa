"""The inside of a library, which its users do not see: the catalogue, and its file as SQL shows it."""

import sqlite3

from facespace.library import Library
from facespace.library.catalogue import Catalogue


def inside(library: Library) -> Catalogue:
    """The catalogue."""
    return library._catalogue


def sql(library: Library) -> sqlite3.Connection:
    """The open file; rows are tuples."""
    return library._catalogue.connection
