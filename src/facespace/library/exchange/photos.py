"""The photos of a library as exchange with other programs needs them: each with its faces and annotations."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from facespace.errors import LibraryError
from facespace.images import read_exif, read_tiff_size
from facespace.library.catalogue import Catalogue
from facespace.library.exchange.embedded import HEIF, stored_orientation
from facespace.library.exchange.xmp import SaidFace, SaidPhoto
from facespace.library.faces import Face, stream_faces
from facespace.store import path_out

__all__ = ["ListedPhoto", "Skipped", "count_photos", "folder_of", "is_told", "listed_photos"]

TIFF = (".tif", ".tiff")


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
class ListedPhoto:
    """A photo that could be read, with its faces from left to right.

    Attributes:
        path: relative to the photo folder.
        size_hw: of the upright picture.
        orientation: as EXIF has it; None where nobody has looked yet.
        taken_at: by the camera's clock.
        size_bytes: of the file at the last scan.
        mtime_ns: likewise.
        faces: all, those that take no part too.
        rejected: names that a face must not have, by its id; earlier names of those persons too.
        is_video: it is one.
    """

    path: str
    size_hw: tuple[int, int]
    orientation: int | None
    taken_at: str | None
    size_bytes: int
    mtime_ns: int
    faces: tuple[Face, ...]
    rejected: dict[int, tuple[str, ...]]
    is_video: bool = False

    def changed(self, folder: Path) -> str | None:
        """Why the catalogue does not know the photo as it stands now; None where it does."""
        try:
            now = (folder / self.path).stat()
        except OSError as error:
            return f"cannot be read: {(error.strerror or str(error)).lower()}"
        if (now.st_size, now.st_mtime_ns) != (self.size_bytes, self.mtime_ns):
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

    def said(self, folder: Path, *, suggested: bool) -> SaidPhoto:
        """What other programs are to be told of it."""
        faces = tuple(
            SaidFace(
                face.box_xyxy,
                face.name if is_told(face, suggested) else None,
                self.rejected.get(face.face_id, ()),
            )
            for face in self.faces
        )
        orientation = 1 if self.is_video else self.stored_orientation(folder)
        return SaidPhoto(faces, self.size_hw, orientation, self.is_video)


def is_told(face: Face, suggested: bool) -> bool:
    """Whether other programs are to be told the name: confirmed ones and, if asked for, suggested ones."""
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


def count_photos(library: Catalogue) -> int:
    """How many `listed_photos` there are."""
    return int(library.value("SELECT count(*) FROM photos WHERE path IS NOT NULL AND unreadable IS NULL"))


def listed_photos(library: Catalogue) -> Iterator[ListedPhoto]:
    """All photos that could be read, by path, one at a time."""
    rejected = _rejected(library)
    with_faces = groupby(
        stream_faces(library, " AND unreadable IS NULL ORDER BY path, begin_s, x0, face_id", forgotten=True),
        key=lambda face: face.photo_id,
    )
    photo_id, faces = next(with_faces, (None, iter(())))
    for row in library.stream("SELECT * FROM photos WHERE path NOTNULL AND unreadable IS NULL ORDER BY path"):
        shown: tuple[Face, ...] = ()
        if row["photo_id"] == photo_id:
            shown = tuple(faces)
            photo_id, faces = next(with_faces, (None, iter(())))
        yield ListedPhoto(
            path_out(row["path"]), (row["height"], row["width"]), row["orientation"], row["taken_at"],
            row["size_bytes"], row["mtime_ns"], shown,
            {face.face_id: tuple(sorted(rejected[face.face_id])) for face in shown if face.face_id in rejected},
            row["kind"] == "video",
        )  # fmt: skip


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
