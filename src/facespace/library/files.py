"""Where a library is kept, and its files: the catalogue, a page, thumbnails of faces, previews of photos.

All of it is its owner's alone, whatever the umask says and wherever the library lies.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from platformdirs import user_data_path

from facespace.errors import DataError, LibraryError
from facespace.saved_files import clean_leftovers, make_folder, reason_of, write_beside

CATALOGUE = "library.sqlite"
PAGE = "people.html"
PAGE_KEY = "people.key"
THUMBNAILS, PREVIEWS = "thumbnails", "previews"


def default_library_dir(photos: Path) -> Path:
    """`<data directory>/facespace/libraries/<folder's name>-<hash of its real path>`, one per photo folder."""
    real = str(photos.resolve())
    name = re.sub(r"[^A-Za-z0-9]+", "-", photos.resolve().name).strip("-")[:40] or "photos"
    digest = hashlib.sha256(real.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return _libraries() / f"{name}-{digest}"


def _libraries() -> Path:
    return user_data_path("facespace", appauthor=False) / "libraries"


def library_of(photos: Path, library: Path | None = None) -> Path:
    """The folder of the library of a folder of photos: the one that is named, else the default one.

    Raises:
        DataError: no such folder of photos; so that a slip of the pen makes no library.
    """
    if not photos.is_dir():
        met = "a file" if photos.exists() else "nothing there"
        raise DataError(f"{photos}: expected a folder of photos, met {met}")
    return library or default_library_dir(photos)


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


def make_library_folder(folder: Path) -> None:
    """Make a library's folder where it is absent, and close the list of libraries to others.

    Raises:
        LibraryError: it cannot be made.
    """
    try:
        make_folder(folder, private=True)
        if folder.parent == _libraries():
            _close(folder.parent)
    except OSError as error:
        raise LibraryError(f"{folder}: cannot make the library's folder: {reason_of(error)}") from error


def tidy(folder: Path) -> None:
    """Remove what killed processes left half written, and close the pictures to others as earlier versions did not."""
    clean_leftovers(folder)
    for name in (PAGE, PAGE_KEY):
        _remove_earlier_partials(folder, name)
    for kind in (folder / THUMBNAILS, folder / PREVIEWS):
        for below in (kind, *kind.glob("[0-9a-f][0-9a-f]")):
            if below.is_dir():
                _close(below)
                clean_leftovers(below)
                _remove_earlier_partials(below, "*.jpg")


def _remove_earlier_partials(folder: Path, name: str) -> None:
    for left in folder.glob(f"{name}.*.partial"):
        left.unlink(missing_ok=True)


def _close(folder: Path) -> None:
    """To all but the owner."""
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def thumbnail_file(face_id: int) -> Path:
    """Of a face, relative to the library's folder; folders of 256 keep them small."""
    name = f"{face_id:016x}"
    return Path(THUMBNAILS) / name[-2:] / f"{name}.jpg"


def preview_file(face_id: int) -> Path:
    """Of the photo of a face, relative to the library's folder."""
    return Path(PREVIEWS) / f"{face_id:016x}.jpg"


def pictures_of(folder: Path) -> dict[int, list[Path]]:
    """The thumbnails and previews in a library's folder, by face."""
    found: dict[int, list[Path]] = {}
    for file in (*folder.glob(f"{THUMBNAILS}/*/*.jpg"), *folder.glob(f"{PREVIEWS}/*.jpg")):
        if re.fullmatch(r"[0-9a-f]{16}", file.stem):
            found.setdefault(int(file.stem, 16), []).append(file)
    return found


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


def keep_page(folder: Path, key: str, write: Callable[[], object]) -> None:
    """Have the page in the library's folder written, unless it is that of this key already."""
    try:
        if (folder / PAGE).is_file() and (folder / PAGE_KEY).read_text(encoding="utf-8") == key:
            return
    except OSError:
        pass
    write()
    write_beside(folder / PAGE_KEY, key.encode(), private=True)
