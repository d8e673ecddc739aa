"""Files written for other programs: in one step, with the rights and place that they had, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from facespace.errors import InputError, LibraryError
from facespace.library.exchange.photos import Skipped
from facespace.saved_files import write_beside

__all__ = [
    "ExportOptions",
    "FolderOptions",
    "ImportOptions",
    "OnPhoto",
    "Written",
    "check_outside",
    "failure",
    "put_file",
    "read_file",
]

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
    dry_run: bool
    on_photo: OnPhoto | None


@dataclass
class Written:
    """What a run wrote, or with ``dry_run`` would have written.

    Attributes:
        written: files, in the order of the photos.
        n_unchanged: files that say it already.
        skipped: photos that were left alone, and why.
    """

    written: list[Path] = field(default_factory=list)
    n_unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)


def check_outside(folder: Path, photos: Path) -> None:
    """Refuse to put pictures where the next scan would find them again.

    Raises:
        InputError: the folder lies in that of the photos.
    """
    if folder.resolve().is_relative_to(photos.resolve()):
        raise InputError(
            f"{folder}: expected a folder outside {photos}, where `facespace people` would find the pictures twice"
        )


def put_file(path: Path, content: bytes) -> None:
    """Write a file in one step; one that was there keeps its rights, and a link leads where it led.

    Raises:
        LibraryError: it cannot be written.
    """
    try:
        target = path.resolve() if path.is_symlink() else path
        rights = target.stat().st_mode & 0o7777 if target.exists() else None
        write_beside(target, content, private=True)
        if rights is not None:
            target.chmod(rights)
    except OSError as error:
        raise failure(path, error) from error


def read_file(path: Path) -> bytes | None:
    """The content of a file; None where there is none.

    Raises:
        LibraryError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failure(path, error) from error


def failure(path: Path, error: OSError) -> LibraryError:
    """One line of what went wrong with a file."""
    return LibraryError(f"{path}: cannot be read or written: {(error.strerror or str(error)).lower()}")
