"""Files beside photos, read with limits, and files for other programs, written in one step; and what came of it."""

import errno
import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TypedDict

from facespace.errors import DataError, InputError
from facespace.library.catalogue import Catalogue
from facespace.library.exchange.photos import ListedPhoto, Skipped, count_photos, listed_photos
from facespace.library.exchange.rdf import MAX_BYTES
from facespace.regular_files import read_regular
from facespace.saved_files import reason_of, written_beside

__all__ = [
    "ExportOptions",
    "FolderOptions",
    "ImportOptions",
    "OnPhoto",
    "Written",
    "check_outside",
    "files_below",
    "folder_part",
    "path_key",
    "put_file",
    "read_file",
    "write_each",
]

LONGEST_PART = 255  # of a path; composing what is far longer is slow
OnPhoto = Callable[[int, int], None]


class ExportOptions(TypedDict, total=False):
    """What `write_sidecars` and `write_copies` can be told."""

    photos: Path | None
    suggested: bool
    keywords: bool
    dry_run: bool
    on_photo: OnPhoto | None


class FolderOptions(TypedDict, total=False):
    """What `sort_into_folders` can be told."""

    link: str
    photos: Path | None
    suggested: bool
    unnamed: bool
    dry_run: bool
    on_photo: OnPhoto | None


class ImportOptions(TypedDict, total=False):
    """What `import_names` can be told."""

    photos: Path | None
    contacts: Path | None
    encoding: str | None
    dry_run: bool
    on_photo: OnPhoto | None


@dataclass
class Written:
    """What a run wrote, or with ``dry_run`` would have written.

    Attributes:
        written: files, in the order of the photos.
        n_unchanged: files that hold the same already.
        skipped: photos that were left alone, and why.
        n_failed: how many of these because a file could not be read or written.
    """

    written: list[Path] = field(default_factory=list)
    n_unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    n_failed: int = 0


def write_each(
    library: Catalogue, write: Callable[[ListedPhoto, Written], None], on_photo: OnPhoto | None
) -> Written:
    """Write what belongs to each photo; one for which that fails is named, and the others follow.

    Args:
        library: open.
        write: given a photo and what was written so far. Raises DataError or OSError where it fails.
        on_photo: called with (done, in all).
    """
    result, total = Written(), count_photos(library)
    for done, photo in enumerate(listed_photos(library), 1):
        try:
            write(photo, result)
        except DataError as error:
            result.skipped.append(Skipped(photo.path, str(error)))
        except OSError as error:
            name = f"{Path(os.fsdecode(error.filename)).name}: " if error.filename else ""
            reason = f"{name}cannot be read or written: {reason_of(error)}"
            result.skipped.append(Skipped(photo.path, reason))
            result.n_failed += 1
        if on_photo:
            on_photo(done, total)
    return result


def check_outside(folder: Path, photos: Path) -> None:
    """Refuse to put pictures where the next scan would find them again.

    Raises:
        InputError: the folder lies in that of the photos.
    """
    if folder.resolve().is_relative_to(photos.resolve()):
        raise InputError(
            f"{folder}: expected a folder outside {photos}, where `facespace people` would find the pictures twice"
        )


def files_below(folder: Path, photos: Iterable[str]) -> Iterator[str]:
    """Paths of all files in the folders that are not hidden, and in those of photos behind links, `/` between names."""
    behind: Iterator[tuple[str, list[str], list[str]]] = (
        (str(folder / place), [], _names(folder / place)) for place in sorted(set(map(folder_part, photos)))
    )
    seen = set()
    for here, folders, names in chain(os.walk(folder), behind):
        place = "" if Path(here) == folder else f"{Path(here).relative_to(folder).as_posix()}/"
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if place not in seen:
            yield from (place + name for name in sorted(names))
        seen.add(place)


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:  # the photos in it are reported
        return []


def folder_part(path: str) -> str:
    """The folder of a path with `/` between names; empty at the top."""
    return path.rpartition("/")[0]


def path_key(path: str) -> str:
    """Equal for paths that differ in capitals or in how letters are composed."""
    parts = (
        part if len(part) > LONGEST_PART else unicodedata.normalize("NFC", part) for part in path.split("/")
    )
    return "/".join(parts).casefold()


def put_file(path: Path, content: bytes, *, time_of: Path | None = None) -> None:
    """Write a file in one step, for the owner alone; one that was there keeps its rights.

    Args:
        path: of the file.
        content: all of it.
        time_of: a file whose time it gets, by which programs sort photos.

    Raises:
        OSError: it cannot be written, or is a link or no file.
    """
    before = path.lstat() if os.path.lexists(path) else None
    if before and not stat.S_ISREG(before.st_mode):
        raise OSError(errno.EINVAL, "a link or no file, which is not replaced", str(path))
    with written_beside(path, private=True) as partial:
        partial.write_bytes(content)
        if before:
            partial.chmod(stat.S_IMODE(before.st_mode))
        if time_of:
            times = time_of.stat()
            os.utime(partial, ns=(times.st_atime_ns, times.st_mtime_ns))


def read_file(path: Path, *, max_bytes: int = MAX_BYTES) -> bytes | None:
    """The content of a file beside a photo; None where there is none.

    Raises:
        OSError: it cannot be read, is too large, or is a link or no file.
    """
    if path.is_symlink():
        raise OSError(errno.ELOOP, "a link, which is not followed", str(path))
    try:
        return read_regular(path, max_bytes=max_bytes, within=path.parent)
    except FileNotFoundError:
        return None
