"""What every exchange needs: photos with their faces; files beside them, read with limits, written in one step."""

import errno
import json
import os
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, groupby
from pathlib import Path

from facespace.errors import DataError, InputError, LibraryError
from facespace.images import read_exif, read_tiff_size
from facespace.library.catalogue import Catalogue, StoredPhoto
from facespace.library.exchange.embedded import HEIF, stored_orientation
from facespace.library.exchange.rdf import MAX_BYTES
from facespace.library.exchange.xmp import NamedFace, NamedPhoto
from facespace.library.faces import Face, stream_faces
from facespace.regular_files import read_regular, unread
from facespace.saved_files import reason_of, written_beside

TIFF = (".tif", ".tiff")
OnPhoto = Callable[[int, int], None]


@dataclass(frozen=True)
class Skipped:
    """A photo or file that was left alone, and why.

    Attributes:
        photo: relative to the photo folder.
        reason: for people to read.
    """

    photo: str
    reason: str


@dataclass(frozen=True)
class ListedPhoto(StoredPhoto):
    """A photo that could be read, with its faces from left to right.

    Attributes:
        faces: all, those that take no part too.
        rejected: names that a face must not have, by its id; earlier names of those persons too.
    """

    faces: tuple[Face, ...]
    rejected: dict[int, tuple[str, ...]]

    @property
    def is_video(self) -> bool:
        """Else a still."""
        return self.kind == "video"

    def changed(self, folder: Path) -> str | None:
        """Why the catalogue does not know the photo as it stands now; None where it does."""
        try:
            now = (folder / self.path).stat()
        except OSError as error:
            return unread(error)
        if (now.st_size, now.st_mtime_ns) != self.stamp[2:]:
            return "changed since the last `facespace people`; run that first"
        size_hw = read_tiff_size(folder / self.path) if self.path.lower().endswith(TIFF) else None
        if size_hw not in (None, self.size_hw):  # libraries of early versions hold the size turned
            return "its size is not known yet as it is read now; run `facespace people` first"
        return None

    def stored_orientation(self, folder: Path) -> int:
        """The orientation of the stored picture, 1 to 8."""
        file = folder / self.path
        if file.suffix.lower() in HEIF:  # what the catalogue knows is what is left to turn
            return stored_orientation(file)
        return self.orientation or read_exif(file).orientation

    def named(self, folder: Path, *, suggested: bool) -> NamedPhoto:
        """What other programs get of it."""
        faces = tuple(
            NamedFace(
                face.box_xyxy,
                face.name if is_exported(face, suggested) else None,
                self.rejected[face.face_id],
            )
            for face in self.faces
        )
        orientation = 1 if self.is_video else self.stored_orientation(folder)
        return NamedPhoto(faces, self.size_hw, orientation, self.is_video)


def is_exported(face: Face, suggested: bool) -> bool:
    """Whether other programs get the name: confirmed ones do and, if asked for, suggested ones."""
    return bool(face.name) and not face.hidden and not face.ignored and (face.confirmed or suggested)


def folder_of(library: Catalogue, photos: Path | None) -> Path:
    """The photo folder: the one given, else that of the last scan.

    Raises:
        LibraryError: none is known, or it is not there.
    """
    folder = photos or library.photo_folder
    if folder is None:
        raise LibraryError(
            f"{library.folder}: expected to know where the photos are; "
            "run `facespace people` once more, or say where (--photos)"
        )
    if not folder.is_dir():
        raise LibraryError(
            f"{folder}: expected the folder of the photos, there is none; say where it is now (--photos)"
        )
    return folder


def listed_photos(library: Catalogue, on_photo: OnPhoto | None) -> Iterator[ListedPhoto]:
    """All photos that could be read, by path, one at a time; ``on_photo`` is called after each with (done, in all)."""
    rejected, readable = _rejected(library), " AND unreadable IS NULL"
    with_faces = groupby(
        stream_faces(library, f"{readable} ORDER BY path, begin_s, x0, face_id", forgotten=True),
        key=lambda face: face.photo_id,
    )
    photo_id, faces = next(with_faces, (None, iter(())))
    total = int(library.value(f"SELECT count(*) FROM photos WHERE path NOTNULL{readable}"))
    for done, photo in enumerate(library.stream_photos(readable), 1):
        shown: tuple[Face, ...] = ()
        if photo.photo_id == photo_id:
            shown = tuple(faces)
            photo_id, faces = next(with_faces, (None, iter(())))
        not_so = {face.face_id: tuple(sorted(rejected.get(face.face_id, ()))) for face in shown}
        yield ListedPhoto(**vars(photo), faces=shown, rejected=not_so)
        if on_photo:
            on_photo(done, total)


def _rejected(library: Catalogue) -> dict[int, set[str]]:
    """Names that each face must not have: all that the rejected person ever had, since other programs may know an
    earlier one. What is no face is nobody that it was taken for.
    """
    names: dict[int, set[str]] = {}
    for row in library.rows("SELECT person_id, name FROM people WHERE name NOTNULL"):
        names.setdefault(row["person_id"], set()).add(row["name"])
    for row in library.rows("SELECT key, before FROM changes WHERE relation = 'people' AND before NOTNULL"):
        names.setdefault(json.loads(row["key"])[0], set()).update(filter(None, json.loads(row["before"])[:1]))
    rejected: dict[int, set[str]] = {}
    for row in library.rows("SELECT face_id, person_id FROM rejections"):
        rejected.setdefault(row["face_id"], set()).update(names.get(row["person_id"], ()))
    for row in library.rows(
        "SELECT face_id, before FROM changes JOIN ignored USING (face_id)"
        " WHERE relation = 'assignments' AND before NOTNULL AND why = 'not a face'"
    ):
        rejected.setdefault(row["face_id"], set()).update(names.get(json.loads(row["before"])[0], ()))
    return rejected


LONGEST_PART = 255  # of a path; composing what is far longer is slow


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
    result = Written()
    for photo in listed_photos(library, on_photo):
        try:
            write(photo, result)
        except DataError as error:
            result.skipped.append(Skipped(photo.path, str(error)))
        except OSError as error:
            name = f"{Path(os.fsdecode(error.filename)).name}: " if error.filename else ""
            reason = f"{name}cannot be read or written: {reason_of(error)}"
            result.skipped.append(Skipped(photo.path, reason))
            result.n_failed += 1
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
