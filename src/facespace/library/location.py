"""Where a folder's library is kept unless one is named: in the user's data directory, one per photo folder."""

import hashlib
import re
from pathlib import Path

from platformdirs import user_data_path

from facespace.errors import LibraryError
from facespace.library.catalogue import CATALOGUE

__all__ = ["default_library_dir", "find_library"]


def default_library_dir(photos: Path) -> Path:
    """`<data directory>/facespace/libraries/<folder's name>-<hash of its real path>`."""
    real = str(photos.resolve())
    name = re.sub(r"[^A-Za-z0-9]+", "-", photos.resolve().name).strip("-")[:40] or "photos"
    digest = hashlib.sha256(real.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return user_data_path("facespace", appauthor=False) / "libraries" / f"{name}-{digest}"


def find_library(folder: Path) -> Path:
    """The library that a folder is, or that `facespace people` made of a folder of photos.

    Raises:
        LibraryError: there is none.
    """
    for candidate in (folder, default_library_dir(folder)):
        if (candidate / CATALOGUE).is_file():
            return candidate
    raise LibraryError(
        f"{folder}: expected a library, or a folder of photos that has one; `facespace people {folder}` makes it"
    )
