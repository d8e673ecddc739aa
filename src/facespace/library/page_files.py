"""The files beside a library's page: a thumbnail of each face, a preview of each photo that browsers do not show."""

import hashlib
import pickle
from collections.abc import Iterable
from pathlib import Path

from facespace.saved_files import write_beside

__all__ = [
    "PAGE",
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


def thumbnail_file(face_id: int) -> Path:
    """Of a face, relative to the library's folder; folders of 256 keep them small."""
    name = f"{face_id:016x}"
    return Path("thumbnails") / name[-2:] / f"{name}.jpg"


def preview_file(face_id: int) -> Path:
    """Of the photo of a face, relative to the library's folder."""
    return Path("previews") / f"{face_id:016x}.jpg"


def remove_files(folder: Path, face_ids: Iterable[int]) -> int:
    """Remove the thumbnails and previews of these faces; returns how many there were."""
    removed = 0
    for number in face_ids:
        for file in (folder / thumbnail_file(number), folder / preview_file(number)):
            for path in (file, file.with_suffix(".partial")):
                if path.exists():
                    path.unlink()
                    removed += 1
    return removed


def remove_page(folder: Path) -> int:
    """Remove the page, whose names and pictures are those of its last run; returns how many files there were."""
    pages = [path for path in (folder / PAGE, (folder / PAGE).with_suffix(".partial")) if path.exists()]
    for path in pages:
        path.unlink()
    return len(pages)


def page_key(*shown: object) -> str:
    """A digest of what a page shows; two pages of one key are alike."""
    return hashlib.sha256(pickle.dumps(shown)).hexdigest()


def page_is_current(folder: Path, key: str) -> bool:
    """Whether the page in the library's folder is that of this key."""
    try:
        return (folder / PAGE).is_file() and (folder / PAGE_KEY).read_text(encoding="utf-8") == key
    except OSError:
        return False


def note_page(folder: Path, key: str) -> None:
    """The page in the library's folder is now that of this key."""
    write_beside(folder / PAGE_KEY, key.encode())
