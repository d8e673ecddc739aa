"""The photos below a folder, in a fixed order, with what could not be looked at."""

import os
from dataclasses import dataclass
from pathlib import Path

from facespace.errors import DataError

__all__ = ["SUFFIXES", "Listing", "Unreadable", "list_photos"]

SUFFIXES = frozenset(
    (
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".tif",
        ".tiff",
        ".heic",
        ".heif",
        ".avif",
        ".bmp",
        ".gif",
    )
)
# Folders in which photo programs and file servers keep thumbnails and deleted files.
JUNK = frozenset({"@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found", "__MACOSX", "node_modules"})


@dataclass(frozen=True)
class Unreadable:
    """A photo or folder that could not be read, and why."""

    photo: Path
    reason: str


@dataclass(frozen=True)
class Listing:
    """What lies below a folder.

    Attributes:
        photos: files with a picture's extension, sorted by path.
        unreadable: folders that could not be opened, links that lead nowhere or in a circle.
    """

    photos: tuple[Path, ...]
    unreadable: tuple[Unreadable, ...]


def list_photos(folder: Path | str) -> Listing:
    """All photos below ``folder``, links followed once; hidden files and folders are passed over.

    Raises:
        DataError: no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        met = "a file" if root.exists() else "nothing there"
        raise DataError(f"{root}: expected a folder of photos, met {met}")
    photos: list[Path] = []
    unreadable: list[Unreadable] = []
    seen: set[tuple[int, int]] = set()
    pending = [root]
    while pending:
        here = pending.pop()
        try:
            status = here.stat()
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            unreadable.append(Unreadable(here, _reason(error)))
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        folders = _sort_entries(entries, photos, unreadable)
        pending += reversed(folders)
    return Listing(tuple(sorted(photos)), tuple(unreadable))


def _sort_entries(
    entries: list["os.DirEntry[str]"], photos: list[Path], unreadable: list[Unreadable]
) -> list[Path]:
    """Put each entry where it belongs; returns the folders to look into."""
    folders = []
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith(".") or entry.name in JUNK:
            continue
        try:
            if entry.is_dir():
                folders.append(path)
            elif path.suffix.lower() in SUFFIXES and (entry.is_file() or not path.stat()):
                photos.append(path)
        except OSError as error:
            unreadable.append(Unreadable(path, _reason(error)))
    return folders


def _reason(error: OSError) -> str:
    return f"cannot be read: {(error.strerror or str(error)).lower()}"
