"""A photo library: a folder of photos, and beside it the SQLite catalogue of the faces and people found there."""

import dataclasses
import io
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.embed import dequantise
from facespace.errors import LibraryError
from facespace.extract import PhotoFaces
from facespace.gallery import Database, SqliteTemplates, path_in, path_out
from facespace.images import Unreadable
from facespace.library.schema import LIBRARY_FILE
from facespace.models import ModelSpec
from facespace.table import face_id

__all__ = ["Library", "StoredFaces", "StoredPhoto"]

CATALOGUE = "library.sqlite"
THUMBNAIL_QUALITY = 82


@dataclasses.dataclass(frozen=True)
class StoredPhoto:
    """A photo as the catalogue knows it: its file at the last scan, and what it was scanned with."""

    photo_id: int
    path: str
    sha256: str | None
    stamp: tuple[int, int, int, int]
    detector: str | None
    embedder: str | None
    unreadable: str | None


@dataclasses.dataclass(frozen=True)
class StoredFaces:
    """All faces of a library that have a template of one model; parallel arrays of N.

    Attributes:
        face_id: int64.
        photo_id: int64.
        embeddings: float32 unit rows, shape (N, D).
    """

    face_id: NDArray[np.int64]
    photo_id: NDArray[np.int64]
    embeddings: NDArray[np.float32]


class Library:
    """An open library; use it in a `with` block.

    Args:
        folder: holds the catalogue and the page; made, for its owner alone, if absent.

    Raises:
        LibraryError: the folder or its catalogue cannot be opened, or is another program's.

    Attributes:
        folder: as given.
        templates: the store of all faces' templates.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise LibraryError(
                f"{self.folder}: cannot make the library's folder: {error.strerror}"
            ) from error
        self._database = Database(self.folder / CATALOGUE, LIBRARY_FILE)
        self.templates = SqliteTemplates(self._database)

    def __enter__(self) -> "Library":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the catalogue."""
        self._database.close()

    @property
    def catalogue(self) -> sqlite3.Connection:
        """The open catalogue, to read from; writes go through `transaction`."""
        return self._database.connection

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """All or nothing of the statements inside; see `facespace.gallery.Database.transaction`.

        Raises:
            LibraryError: another process holds the library, or the disk refuses.
        """
        return self._database.transaction()

    def photos(self) -> list[StoredPhoto]:
        """All photos, by path."""
        rows = self.catalogue.execute(
            "SELECT photo_id, path, sha256, device, inode, size_bytes, mtime_ns, detector, embedder, unreadable"
            " FROM photos ORDER BY path"
        )
        return [StoredPhoto(r[0], path_out(r[1]), r[2], (r[3], r[4], r[5], r[6]), *r[7:]) for r in rows]

    def add_model(self, spec: ModelSpec) -> None:
        """Remember a model; see `facespace.gallery.TemplateStore.add_model`."""
        self.templates.add_model(spec)

    def add_faces(
        self,
        found: PhotoFaces,
        path: str,
        stamp: tuple[int, int, int, int],
        *,
        detector: str,
        embedder: ModelSpec,
    ) -> None:
        """Keep a photo's faces in place of what was known of it."""
        with self.transaction() as catalogue:
            _remove_photo(catalogue, path)
            height, width = found.size_hw
            photo_id = _insert_photo(
                catalogue, path, found.sha256, stamp, (width, height, detector, embedder.sha256, None)
            )
            numbers = []
            for i in range(len(found.faces)):
                numbers.append(_new_face_id(catalogue, found.sha256, i))
                catalogue.execute(
                    "INSERT INTO faces VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (numbers[i], photo_id, *_face_row(found, i)),
                )
            self.templates.add(np.array(numbers, np.int64), found.embeddings, embedder, quality=found.quality)

    def add_unreadable(self, photo: Unreadable, path: str, stamp: tuple[int, int, int, int]) -> None:
        """Remember that a photo cannot be read, and why."""
        with self.transaction() as catalogue:
            _remove_photo(catalogue, path)
            _insert_photo(catalogue, path, None, stamp, (None, None, None, None, photo.reason))

    def move_photo(self, photo_id: int, path: str, stamp: tuple[int, int, int, int]) -> None:
        """The same content now stands at ``path`` with that stamp."""
        with self.transaction() as catalogue:
            catalogue.execute(
                "UPDATE photos SET path = ?, device = ?, inode = ?, size_bytes = ?, mtime_ns = ? WHERE photo_id = ?",
                (path_in(path), *stamp, photo_id),
            )

    def remove_photos(self, photo_ids: list[int]) -> None:
        """Drop photos with their faces and templates."""
        with self.transaction() as catalogue:
            catalogue.executemany("DELETE FROM photos WHERE photo_id = ?", [(i,) for i in photo_ids])

    def faces_of_model(self, model: str, dim: int) -> StoredFaces:
        """All faces with a template of the model with that sha256, in order of photo and place."""
        rows = self.catalogue.execute(
            "SELECT face_id, photo_id, vector FROM models JOIN templates USING (model_id) JOIN faces USING (face_id)"
            " JOIN photos USING (photo_id) WHERE models.sha256 = ? ORDER BY path, x0, face_id",
            (model,),
        ).fetchall()
        vectors = np.frombuffer(b"".join(row[2] for row in rows), np.int8).reshape(len(rows), dim)
        ids = np.array([row[:2] for row in rows], np.int64).reshape(len(rows), 2)
        return StoredFaces(ids[:, 0], ids[:, 1], dequantise(vectors))

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


def _remove_photo(catalogue: sqlite3.Connection, path: str) -> None:
    catalogue.execute("DELETE FROM photos WHERE path = ?", (path_in(path),))


def _insert_photo(
    catalogue: sqlite3.Connection,
    path: str,
    sha256: str | None,
    stamp: tuple[int, int, int, int],
    rest: tuple[int | None, int | None, str | None, str | None, str | None],
) -> int:
    cursor = catalogue.execute(
        "INSERT INTO photos (path, sha256, device, inode, size_bytes, mtime_ns, width, height, detector, embedder,"
        " unreadable) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (path_in(path), sha256, *stamp, *rest),
    )
    return int(cursor.lastrowid or 0)


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
