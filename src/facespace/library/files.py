"""Where a folder's library is kept unless one is named, and the files of a library beside its catalogue.

These are a page, a thumbnail of each face on it, and a preview of each photo that browsers do not show.
"""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from platformdirs import user_data_path

from facespace.errors import LibraryError
from facespace.library.catalogue import CATALOGUE
from facespace.saved_files import clean_leftovers, write_beside

__all__ = [
    "PAGE",
    "default_library_dir",
    "find_library",
    "note_page",
    "page_is_current",
    "page_key",
    "preview_file",
    "remove_files",
    "remove_page",
    "thumbnail_file",
]

PAGE = "people.html"
PAGE_KEY = "people.key"


def default_library_dir(photos: Path) -> Path:
    """`<data directory>/facespace/libraries/<folder's name>-<hash of its real path>`, one per photo folder."""
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


def thumbnail_file(face_id: int) -> Path:
    """Of a face, relative to the library's folder; folders of 256 keep them small."""
    name = f"{face_id:016x}"
    return Path("thumbnails") / name[-2:] / f"{name}.jpg"


def preview_file(face_id: int) -> Path:
    """Of the photo of a face, relative to the library's folder."""
    return Path("previews") / f"{face_id:016x}.jpg"


def remove_files(folder: Path, face_ids: Iterable[int]) -> int:
    """Remove the thumbnails and previews of these faces; returns how many there were."""
    files = [folder / file for number in face_ids for file in (thumbnail_file(number), preview_file(number))]
    return sum(_remove(file) for file in files)


def remove_page(folder: Path) -> int:
    """Remove the page, whose names and pictures are those of its last run; returns how many files there were."""
    return _remove(folder / PAGE)


def _remove(file: Path) -> int:
    """A file, and what a run that was killed while writing it left beside it, by this version or an earlier one."""
    clean_leftovers(file.parent)
    found = [file, *file.parent.glob(f"{file.name}.*.partial"), file.with_suffix(".partial")]
    there = [path for path in found if path.exists()]
    for path in there:
        path.unlink()
    return len(there)


def page_key(*shown: object) -> str:
    """A digest of what a page shows, given as values that JSON knows; two pages of one key are alike."""
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()


def page_is_current(folder: Path, key: str) -> bool:
    """Whether the page in the library's folder is that of this key."""
    try:
        return (folder / PAGE).is_file() and (folder / PAGE_KEY).read_text(encoding="utf-8") == key
    except OSError:
        return False


def note_page(folder: Path, key: str) -> None:
    """The page in the library's folder is now that of this key."""
    write_beside(folder / PAGE_KEY, key.encode(), private=True)
