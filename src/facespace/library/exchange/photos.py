"""The photos of a library as exchange with other programs needs them: each with its faces and what was said of them."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from facespace.errors import LibraryError
from facespace.images import read_exif, read_tiff_size
from facespace.library.catalogue import Catalogue
from facespace.library.exchange.embedded import HEIF, stored_orientation
from facespace.library.exchange.regions import Box
from facespace.library.exchange.xmp import SaidFace, SaidPhoto
from facespace.store import path_out

__all__ = ["ListedFace", "ListedPhoto", "Skipped", "count_photos", "folder_of", "listed_photos"]

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
class ListedFace:
    """A face with its person, perhaps none.

    Attributes:
        face_id: stable.
        box_xyxy: pixels of the upright photo.
        score: the detector's.
        quality: in [0, 1].
        address: `photo#k`.
        ignored: "not a face" or "forgotten", else None.
        person: number.
        name: of the person, if any.
        settled: the person changes only by what is said.
        hidden: the person is not to be shown.
        confirmed: somebody said that the face is the person.
        distance: of a suggestion, mean to the confirmed faces.
        rejected: names that the face was said not to have, earlier ones of those persons too.
    """

    face_id: int
    box_xyxy: Box
    score: float
    quality: float
    address: str
    ignored: str | None
    person: int | None
    name: str | None
    settled: bool
    hidden: bool
    confirmed: bool
    distance: float | None
    rejected: tuple[str, ...]

    def is_told(self, suggested: bool) -> bool:
        """Whether other programs are to be told the name: confirmed ones and, if asked for, suggested ones."""
        return bool(self.name) and not self.hidden and not self.ignored and (self.confirmed or suggested)


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
    """

    path: str
    size_hw: tuple[int, int]
    orientation: int | None
    taken_at: str | None
    size_bytes: int
    mtime_ns: int
    faces: tuple[ListedFace, ...]

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
            SaidFace(face.box_xyxy, face.name if face.is_told(suggested) else None, face.rejected)
            for face in self.faces
        )
        return SaidPhoto(faces, self.size_hw, self.stored_orientation(folder))


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
    rows = library.stream(
        "SELECT photo_id, path, height, width, orientation, taken_at, size_bytes, mtime_ns,"
        " face_id, x0, y0, x1, y1, faces.score AS score, faces.quality AS quality, why,"
        " person_id, name, settled, hidden, state, distance"
        " FROM photos LEFT JOIN faces USING (photo_id) LEFT JOIN ignored USING (face_id)"
        " LEFT JOIN assignments USING (face_id) LEFT JOIN people USING (person_id)"
        " WHERE path IS NOT NULL AND unreadable IS NULL ORDER BY path, x0, face_id"
    )
    for _, group in groupby(rows, key=lambda row: row["photo_id"]):
        of_photo = list(group)
        first, path = of_photo[0], path_out(of_photo[0]["path"])
        faces = tuple(
            _face(row, f"{path}#{place}", tuple(sorted(rejected.get(row["face_id"], ()))))
            for place, row in enumerate(of_photo, 1)
            if row["face_id"] is not None
        )
        yield ListedPhoto(
            path, (first["height"], first["width"]), first["orientation"], first["taken_at"], first["size_bytes"],
            first["mtime_ns"], faces,
        )  # fmt: skip


def _rejected(library: Catalogue) -> dict[int, set[str]]:
    """Names that each face was said not to have: all that the rejected person ever had, since other programs may have
    been told an earlier one. What is no face is nobody that it was taken for.
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


def _face(row: sqlite3.Row, address: str, rejected: tuple[str, ...]) -> ListedFace:
    confirmed = row["state"] == "confirmed"
    return ListedFace(
        row["face_id"], (row["x0"], row["y0"], row["x1"], row["y1"]), row["score"], row["quality"], address, row["why"],
        row["person_id"], row["name"], bool(row["settled"]), bool(row["hidden"]), confirmed,
        None if confirmed else row["distance"], rejected,
    )  # fmt: skip
