"""The photos below a folder, in a fixed order, with what could not be looked at."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from facespace.errors import DataError

__all__ = ["SUFFIXES", "Listing", "Stamp", "StampedFiles", "Unreadable", "list_photos", "stamp_photos"]

# Device, inode, size in bytes and time of the last change in ns.
Stamp = tuple[int, int, int, int]
MAX_INT = 2**63 - 1

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


@dataclass(frozen=True)
class StampedFiles:
    """What lies below a folder, each file with what tells whether it is the same as before.

    Attributes:
        stamps: of each file with a picture's extension, by its path relative to the folder, `/` between names.
        unreadable: folders that could not be opened, links that lead nowhere or in a circle; paths likewise.
    """

    stamps: dict[str, Stamp]
    unreadable: tuple[Unreadable, ...]


def list_photos(folder: Path | str) -> Listing:
    """All photos below ``folder``, links followed once; hidden files and folders are passed over.

    Raises:
        DataError: no such folder.
    """
    root, found = Path(folder), stamp_photos(folder)
    return Listing(
        tuple(sorted(root / path for path in found.stamps)),
        tuple(Unreadable(root / u.photo, u.reason) for u in found.unreadable),
    )


def stamp_photos(folder: Path | str) -> StampedFiles:
    """All photos below ``folder`` as `list_photos` finds them, in no order, with one look at each file.

    Paths are text and each file is asked for once, since in a folder where nothing has changed this is all the work.

    Raises:
        DataError: no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        met = "a file" if root.exists() else "nothing there"
        raise DataError(f"{root}: expected a folder of photos, met {met}")
    stamps: dict[str, Stamp] = {}
    unreadable: list[Unreadable] = []
    seen: set[tuple[int, int]] = set()
    pending = [""]
    while pending:
        here = pending.pop()
        try:
            status = (root / here).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(root / here) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if not here or not isinstance(error, FileNotFoundError):  # else it was removed in the meantime
                unreadable.append(Unreadable(Path(here), _reason(error)))
            continue
        pending += reversed(_sort_entries(inside, here, stamps, unreadable))
    return StampedFiles(stamps, tuple(unreadable))


def _sort_entries(
    entries: list["os.DirEntry[str]"], here: str, stamps: dict[str, Stamp], unreadable: list[Unreadable]
) -> list[str]:
    """Put each entry where it belongs; returns the folders to look into."""
    folders = []
    for entry in entries:
        name = entry.name
        if name.startswith(".") or name in JUNK:
            continue
        path = f"{here}/{name}" if here else name
        try:
            if entry.is_dir():
                folders.append(path)
            elif os.path.splitext(name)[1].lower() in SUFFIXES:  # noqa: PTH122 - a Path a file is slow
                status = entry.stat()
                if stat.S_ISREG(status.st_mode):
                    stamps[path] = _stamp(status)
        except OSError as error:
            # A file that was removed while its folder was read is no trouble; a link to nowhere is.
            if entry.is_symlink() or not isinstance(error, FileNotFoundError):
                unreadable.append(Unreadable(Path(path), _reason(error)))
    return folders


def _stamp(status: os.stat_result) -> Stamp:
    # 63 bits: what signed whole numbers of databases hold.
    return status.st_dev & MAX_INT, status.st_ino & MAX_INT, status.st_size, status.st_mtime_ns


def _reason(error: OSError) -> str:
    return f"cannot be read: {(error.strerror or str(error)).lower()}"
