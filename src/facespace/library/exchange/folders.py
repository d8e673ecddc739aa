"""A folder a person: copies of their photos, or links to them."""

import errno
import filecmp
import hashlib
import os
import re
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path, PurePath

from facespace.errors import DataError, InputError, LibraryError
from facespace.library.catalogue import Catalogue, LibraryPart
from facespace.library.exchange.files import (
    ListedPhoto,
    OnPhoto,
    Written,
    check_outside,
    folder_of,
    is_exported,
    write_each,
)
from facespace.library.faces import Face
from facespace.saved_files import make_folder, written_beside

# Names of devices in every folder of Windows, whatever their extension.
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
# What some file system refuses, and what turns the text around it.
UNSAFE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]')
LONGEST_BYTES = 120
END_BYTES = 65_536


def _copy(photo: Path, place: Path) -> None:
    with written_beside(place, private=True) as partial:
        shutil.copyfile(photo, partial)
        shutil.copystat(photo, partial)
        partial.chmod(0o600)


LINKS: dict[str, Callable[[Path, Path], None]] = {
    "copy": _copy,
    "hard": lambda photo, place: os.link(photo, place),
    "symbolic": lambda photo, place: place.symlink_to(photo),
}


class Sorting(LibraryPart):
    """Folders that a library makes."""

    def sort_into_folders(
        self,
        to: Path,
        *,
        link: str = "copy",
        photos: Path | None = None,
        suggested: bool = False,
        unnamed: bool = False,
        dry_run: bool = False,
        on_photo: OnPhoto | None = None,
    ) -> Written:
        """Put the photos of each person into a folder of the person's name; a photo of three people goes into three.

        Nothing is overwritten: a photo that is there already, in whatever form, is not put there again, and another one
        of the same name gets a few digits of its path behind its own.

        Args:
            to: where the folders are made.
            link: "copy", "hard" or "symbolic".
            photos: as of `write_sidecars`, and all others of the same names.
            suggested: with the photos that are only suggested for a person.
            unnamed: with a folder for each person without a name, "person 7".

        Raises:
            InputError: an unknown kind of link, or ``to`` lies in the folder of the photos.
            LibraryError: the photos' folder is not there, or hard links would cross disks.
        """
        if link not in LINKS:
            raise InputError(f"link: expected one of {', '.join(LINKS)}, got {link}")
        folder = folder_of(self._catalogue, photos)
        check_outside(to, folder)
        names = _folder_names(self._catalogue)

        def write(photo: ListedPhoto, result: Written) -> None:
            chosen = dict.fromkeys(
                face.person for face in photo.faces if _is_wanted(face, suggested=suggested, unnamed=unnamed)
            )
            file = (folder / photo.path).resolve()
            if chosen and not file.is_file():
                raise DataError("is not there")
            for person in chosen:
                place = _place(file, to / names[person or 0], photo.path)
                if place is None:
                    result.n_unchanged += 1
                    continue
                if not dry_run:
                    _put(file, place, link)
                result.written.append(place)

        return write_each(self._catalogue, write, on_photo)


def _is_wanted(face: Face, *, suggested: bool, unnamed: bool) -> bool:
    if face.name:
        return is_exported(face, suggested)
    # Nobody can confirm a group without settling it: the faces of an unnamed one are what is known of it.
    shown = face.confirmed or suggested or not face.settled
    return unnamed and face.person is not None and not (face.hidden or face.ignored) and shown


def _folder_names(library: Catalogue) -> dict[int, str]:
    """A name for each person's folder, no two of which are one to any file system."""
    names: dict[int, str] = {}
    taken: set[str] = set()
    for row in library.rows("SELECT person_id, name FROM people ORDER BY person_id"):
        person, name = row["person_id"], row["name"]
        safe = safe_name(name or f"person {person}")
        if safe.casefold() in taken:
            safe = f"{safe} ({person})"
        taken.add(safe.casefold())
        names[person] = safe
    return names


def safe_name(name: str) -> str:
    """A name that every file system takes, as like the given one as may be."""
    safe = UNSAFE.sub("_", unicodedata.normalize("NFC", name))
    safe = safe.encode()[:LONGEST_BYTES].decode(errors="ignore").rstrip(". ").lstrip(" ")
    if not safe.strip("."):
        return "_"
    return f"{safe}_" if DEVICES.fullmatch(safe) or safe.startswith(".") else safe


def _place(file: Path, folder: Path, path: str) -> Path | None:
    """Where a photo goes in a person's folder; None where it is there already."""
    name = PurePath(path)
    digits = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    for candidate in (folder / name.name, folder / f"{name.stem}-{digits}{name.suffix}"):
        if not os.path.lexists(candidate):
            return candidate
        if candidate.is_file() and (candidate.samefile(file) or _is_copy(candidate, file)):
            return None
    return None  # the very path's own name is taken: by this photo as it was before


def _is_copy(file: Path, original: Path) -> bool:
    """Whether two files are alike; a look at the ends will do where the time is the same too."""
    a, b = file.stat(), original.stat()
    if a.st_size != b.st_size:
        return False
    if a.st_mtime_ns != b.st_mtime_ns:
        return filecmp.cmp(file, original, shallow=False)
    return _ends(file) == _ends(original)


def _ends(file: Path) -> tuple[bytes, bytes]:
    with file.open("rb") as content:
        first = content.read(END_BYTES)
        content.seek(max(0, file.stat().st_size - END_BYTES))
        return first, content.read()


def _put(photo: Path, place: Path, link: str) -> None:
    make_folder(place.parent, private=True)
    try:
        LINKS[link](photo, place)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise LibraryError(
                f"{place}: expected hard links on the disk of the photos; use --link symbolic or copy"
            ) from error
        raise
