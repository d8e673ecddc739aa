"""The catalogue of a library: an open SQLite file with the photos, their faces and the templates of these."""

import dataclasses
import io
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.embed import dequantise
from facespace.errors import LibraryError
from facespace.extract import PhotoFaces
from facespace.faces.quality import SET_ASIDE
from facespace.images import Exif, Stamp, Unreadable
from facespace.library.carried import carried_ids, known_faces
from facespace.library.page_files import remove_files
from facespace.library.scan_progress import ScanProgress, read_progress
from facespace.library.schema import LIBRARY_FILE
from facespace.models import ModelSpec
from facespace.store import Database, SqliteTemplates, path_in, path_out
from facespace.table import face_id

__all__ = ["CATALOGUE", "Catalogue", "StoredFaces", "StoredPhoto"]

CATALOGUE = "library.sqlite"
# Faces below this side and of a quality below SET_ASIDE are mostly lights, logos and heads far away.
TINY_PX = 24.0
THUMBNAIL_QUALITY = 82


@dataclasses.dataclass(frozen=True)
class StoredPhoto:
    """A photo as the catalogue knows it: its file at the last scan, and what it was scanned with.

    Attributes:
        photo_id: stable.
        path: relative to the photo folder.
        sha256: of the content; None where it could not be read.
        stamp: device, inode, size in bytes and time of change in ns of the file.
        detector: sha256 of the model.
        embedder: likewise.
        unreadable: why there is nothing to see, else None.
        orientation: as EXIF has it, 1 to 8; None where nobody has looked yet.
        taken_at: by the camera's clock, ISO 8601; None where the file does not say.
    """

    photo_id: int
    path: str
    sha256: str | None
    stamp: Stamp
    detector: str | None
    embedder: str | None
    unreadable: str | None
    orientation: int | None
    taken_at: str | None


@dataclasses.dataclass(frozen=True)
class StoredFaces:
    """All faces of a library that have a template of one model; parallel arrays of N.

    Attributes:
        face_id: int64.
        photo_id: int64.
        embeddings: float32 unit rows, shape (N, D).
        blurs: bool, shape (N,): tiny and of poor quality, so that it may be anybody or no face at all.
    """

    face_id: NDArray[np.int64]
    photo_id: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    blurs: NDArray[np.bool_]

    def __getitem__(self, which: NDArray[np.bool_]) -> "StoredFaces":
        """The faces where a mask is true."""
        return StoredFaces(*(column[which] for column in vars(self).values()))

    @classmethod
    def joined(cls, parts: "list[StoredFaces]") -> "StoredFaces":
        """One after the other."""
        return cls(*map(np.concatenate, zip(*(vars(part).values() for part in parts), strict=True)))


class Catalogue:
    """What a library keeps of its photos; `Library` adds what people say of them.

    Args:
        folder: holds the catalogue and the page; made, for its owner alone, if absent.
        create: False makes an absent library an error.

    Raises:
        LibraryError: the folder or its catalogue cannot be opened, or is another program's.

    Attributes:
        folder: as given.
        templates: the store of all faces' templates.
    """

    def __init__(self, folder: Path | str, *, create: bool = True) -> None:
        self.folder = Path(folder)
        try:
            if create:
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise LibraryError(
                f"{self.folder}: cannot make the library's folder: {error.strerror}"
            ) from error
        self._database = Database(self.folder / CATALOGUE, LIBRARY_FILE, create=create)
        self.templates = SqliteTemplates(self._database)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close(error)

    def close(self) -> None:
        """Close the catalogue."""
        self._database.close()

    @property
    def catalogue(self) -> sqlite3.Connection:
        """The open catalogue, to read from; writes go through `transaction`."""
        return self._database.connection

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """All or nothing of the statements inside; see `facespace.store.Database.transaction`.

        Raises:
            LibraryError: another process holds the library, or the disk refuses.
        """
        return self._database.transaction()

    def snapshot(self) -> AbstractContextManager[sqlite3.Connection]:
        """All reads inside see the catalogue at one moment.

        Raises:
            LibraryError: the catalogue cannot be read.
        """
        return self._database.snapshot()

    def checkpoint(self) -> None:
        """Bring the log into the file, so that deleted bytes go, unless another process still reads them."""
        self._database.checkpoint()

    def photos(self) -> list[StoredPhoto]:
        """All photos that are there, by path."""
        rows = self.catalogue.execute(
            "SELECT photo_id, path, sha256, device, inode, size_bytes, mtime_ns, detector, embedder, unreadable,"
            " orientation, taken_at FROM photos WHERE path IS NOT NULL ORDER BY path"
        )
        return [StoredPhoto(r[0], path_out(r[1]), r[2], (r[3], r[4], r[5], r[6]), *r[7:]) for r in rows]

    @property
    def photo_folder(self) -> Path | None:
        """Where the photos stood at the last scan; None before the first."""
        row = self.catalogue.execute("SELECT path FROM folder").fetchone()
        return None if row is None else Path(path_out(row[0]))

    def set_photo_folder(self, photos: Path) -> None:
        """The photos' paths are relative to this folder from now on."""
        if self.photo_folder == photos.resolve():
            return
        with self.transaction() as catalogue:
            catalogue.execute(
                "INSERT OR REPLACE INTO folder VALUES (1, ?)", (path_in(str(photos.resolve())),)
            )

    def add_model(self, spec: ModelSpec) -> None:
        """Remember a model; see `facespace.store.TemplateStore.add_model`."""
        self.templates.add_model(spec)

    def add_faces(
        self,
        found: PhotoFaces,
        path: str,
        stamp: Stamp,
        *,
        detector: str,
        embedder: ModelSpec,
    ) -> None:
        """Keep a photo's faces in place of what was known of it.

        A face that was known before, at this path or in a photo of this content that had gone, keeps its id and
        so all that was said of it; see `facespace.library.carried`.
        """
        rows = [_face_row(found, i) for i in range(len(found.faces))]  # while others may write
        with self.transaction() as catalogue:
            old = known_faces(catalogue, path, found.sha256, embedder.sha256)
            if old.photo_ids:
                _give_up_path(catalogue, path)
            photo_id = _insert_photo(catalogue, path, stamp, found, (detector, embedder.sha256))
            kept = carried_ids(old, found) if old.face_ids else {}
            forgotten = _forgotten(catalogue, kept) if kept else set()
            ids = [kept.get(i) or _new_face_id(catalogue, found.sha256, i) for i in range(len(rows))]
            for i, number in enumerate(ids):
                if i in forgotten:
                    catalogue.execute("UPDATE faces SET photo_id = ? WHERE face_id = ?", (photo_id, number))
                else:
                    _put_face(catalogue, (number, photo_id, *rows[i]))
            seen = [i for i in range(len(ids)) if i not in forgotten]
            if seen:
                numbers = np.array(ids, np.int64)[seen]
                self.templates.add(numbers, found.embeddings[seen], embedder, quality=found.quality[seen])
            for before in old.photo_ids:
                _drop_photo(catalogue, before)
        remove_files(self.folder, old.face_ids)

    def add_unreadable(self, photo: Unreadable, path: str, stamp: Stamp) -> None:
        """Remember that a photo cannot be read, and why."""
        with self.transaction() as catalogue:
            for number in _give_up_path(catalogue, path):
                _drop_photo(catalogue, number)
            catalogue.execute(
                "INSERT INTO photos (path, device, inode, size_bytes, mtime_ns, unreadable) VALUES (?, ?, ?, ?, ?, ?)",
                (path_in(path), *stamp, photo.reason),
            )

    def move_photos(self, moves: list[tuple[int, str | None, str, Stamp]]) -> None:
        """The photo of that id and content now stands at that path with that stamp, if it is here still.

        A photo whose place another one takes without moving itself is dropped.
        """
        if not moves:
            return
        with self.transaction() as catalogue:
            # All leave before any arrives, since photos may have changed places.
            catalogue.executemany(
                "UPDATE photos SET path = NULL WHERE photo_id = ? AND sha256 = ?", [m[:2] for m in moves]
            )
            for number, sha256, path, stamp in moves:
                for other in _give_up_path(catalogue, path):
                    _drop_photo(catalogue, other)
                catalogue.execute(
                    "UPDATE photos SET path = ?, device = ?, inode = ?, size_bytes = ?, mtime_ns = ?"
                    " WHERE photo_id = ? AND sha256 = ?",
                    (path_in(path), *stamp, number, sha256),
                )

    def scan_progress(self) -> ScanProgress | None:
        """How far the last scan is or was, in whichever process; None before the first."""
        return read_progress(self.catalogue)

    def add_exif(self, found: list[tuple[int, Exif]]) -> None:
        """What the files of these photos, by photo id, say of themselves."""
        with self.transaction() as catalogue:
            catalogue.executemany(
                "UPDATE photos SET orientation = ?, taken_at = ? WHERE photo_id = ?",
                [(exif.orientation, exif.taken_at, number) for number, exif in found],
            )

    def remove_photos(self, photo_ids: list[int]) -> None:
        """Drop photos with their faces, templates and thumbnails, out of the bytes of the file too.

        Of a face that somebody said something of, its box stays, so that the photo finds what was said when it
        comes back.
        """
        if not photo_ids:
            return
        with self.transaction() as catalogue:
            faces = [
                number
                for photo in photo_ids
                for (number,) in catalogue.execute("SELECT face_id FROM faces WHERE photo_id = ?", (photo,))
            ]
            for photo in photo_ids:
                _drop_photo(catalogue, photo)
        remove_files(self.folder, faces)
        self.checkpoint()

    def faces_of_model(self, model: str, dim: int) -> StoredFaces:
        """All faces that take part and have a template of the model with that sha256, in order of photo and place."""
        rows = self.catalogue.execute(
            "SELECT face_id, photo_id, vector, faces.quality < ? AND (x1 - x0) * (y1 - y0) < ?"
            " FROM models JOIN templates USING (model_id) JOIN faces USING (face_id) JOIN photos USING (photo_id)"
            " WHERE models.sha256 = ?"
            " AND face_id NOT IN (SELECT face_id FROM ignored) ORDER BY path, x0, face_id",
            (SET_ASIDE, TINY_PX**2, model),
        ).fetchall()
        vectors = np.frombuffer(b"".join(row[2] for row in rows), np.int8).reshape(len(rows), dim)
        ids = np.array([row[:2] for row in rows], np.int64).reshape(len(rows), 2)
        return StoredFaces(
            ids[:, 0], ids[:, 1], dequantise(vectors), np.array([row[3] for row in rows], bool)
        )

    def thumbnail(self, number: int) -> bytes:
        """The thumbnail of the face with that id, as JPEG.

        Raises:
            LibraryError: no such face.
        """
        row = self.catalogue.execute("SELECT thumbnail FROM faces WHERE face_id = ?", (number,)).fetchone()
        if row is None:
            raise LibraryError(
                f"face {number}: expected a face of this library, there is none of that number"
            )
        return bytes(row[0])


def _insert_photo(
    catalogue: sqlite3.Connection,
    path: str,
    stamp: Stamp,
    found: PhotoFaces,
    models: tuple[str, str],
) -> int:
    height, width = found.size_hw
    cursor = catalogue.execute(
        "INSERT INTO photos (path, device, inode, size_bytes, mtime_ns, sha256, width, height, orientation, taken_at,"
        " detector, embedder) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            path_in(path),
            *stamp,
            found.sha256,
            width,
            height,
            found.exif.orientation,
            found.exif.taken_at,
            *models,
        ),
    )
    return int(cursor.lastrowid or 0)


def _give_up_path(catalogue: sqlite3.Connection, path: str) -> list[int]:
    """The photo that stood at that path, if any, stands nowhere now."""
    return [
        row[0]
        for row in catalogue.execute(
            "UPDATE photos SET path = NULL WHERE path = ? RETURNING photo_id", (path_in(path),)
        ).fetchall()
    ]


def _drop_photo(catalogue: sqlite3.Connection, photo_id: int) -> None:
    """Drop a photo; of faces that something was said of, the box stays, and with it the bare photo."""
    catalogue.execute(
        "DELETE FROM faces WHERE photo_id = ? AND face_id NOT IN (SELECT face_id FROM ignored)"
        " AND NOT EXISTS (SELECT 1 FROM changes WHERE changes.face_id = faces.face_id)"
        " AND NOT EXISTS (SELECT 1 FROM assignments a WHERE a.face_id = faces.face_id AND state = 'confirmed')",
        (photo_id,),
    )
    of_photo = " WHERE face_id IN (SELECT face_id FROM faces WHERE photo_id = ?)"
    catalogue.execute("DELETE FROM assignments" + of_photo + " AND state = 'suggested'", (photo_id,))
    catalogue.execute("DELETE FROM templates" + of_photo, (photo_id,))
    catalogue.execute("UPDATE faces SET thumbnail = x'', landmarks = x'' WHERE photo_id = ?", (photo_id,))
    catalogue.execute(
        "UPDATE photos SET path = NULL, detector = NULL, embedder = NULL, taken_at = NULL WHERE photo_id = ?",
        (photo_id,),
    )
    catalogue.execute(
        "DELETE FROM photos WHERE photo_id = ? AND photo_id NOT IN (SELECT photo_id FROM faces)", (photo_id,)
    )


def _forgotten(catalogue: sqlite3.Connection, kept: dict[int, int]) -> set[int]:
    """Which of the found faces somebody wants to be forgotten."""
    rows = catalogue.execute("SELECT face_id FROM ignored WHERE why = 'forgotten'")
    numbers = {row[0] for row in rows}
    return {i for i, number in kept.items() if number in numbers}


def _put_face(catalogue: sqlite3.Connection, row: tuple[object, ...]) -> None:
    catalogue.execute(
        "INSERT INTO faces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (face_id) DO UPDATE SET"
        " photo_id = excluded.photo_id, x0 = excluded.x0, y0 = excluded.y0, x1 = excluded.x1, y1 = excluded.y1,"
        " landmarks = excluded.landmarks, score = excluded.score, quality = excluded.quality,"
        " thumbnail = excluded.thumbnail",
        row,
    )


def _new_face_id(catalogue: sqlite3.Connection, sha256: str, index: int) -> int:
    """The face's stable id; a copy of a photo that is in the library already takes the next free one."""
    candidate = face_id(sha256, index)
    while catalogue.execute("SELECT 1 FROM faces WHERE face_id = ?", (candidate,)).fetchone():
        candidate = (candidate + 1) & (2**63 - 1)
    return candidate


def _face_row(found: PhotoFaces, i: int) -> tuple[object, ...]:
    """A face's columns from the box on."""
    jpeg = io.BytesIO()
    Image.fromarray(found.thumbnails[i]).save(jpeg, "JPEG", quality=THUMBNAIL_QUALITY)
    return (
        *(float(v) for v in found.faces.boxes_xyxy[i]),
        found.faces.landmarks_xy[i].astype("<f4").tobytes(),
        float(found.faces.scores[i]),
        float(found.quality[i]),
        jpeg.getvalue(),
    )
