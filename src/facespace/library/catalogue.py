"""The catalogue of a library: an open SQLite file with the photos, their faces and the templates of these."""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.embed import dequantise
from facespace.faces.quality import SET_ASIDE
from facespace.images import Stamp
from facespace.library.files import CATALOGUE, make_library_folder
from facespace.library.schema import LIBRARY_FILE
from facespace.store import Database, SqliteTemplates, path_in, path_out

# Faces below this side and of a quality below SET_ASIDE are mostly lights, logos and heads far away.
TINY_PX = 24.0


@dataclass(frozen=True)
class StoredPhoto:
    """A photo as the catalogue knows it: its file at the last scan, and what it was scanned with.

    Attributes:
        photo_id: stable.
        path: relative to the photo folder.
        sha256: of the content; None where it could not be read.
        stamp: device, inode, size in bytes and time of change in ns of the file.
        size_hw: rows and columns of the upright photo; (0, 0) where it could not be read.
        detector: sha256 of the model.
        embedder: likewise.
        unreadable: why there is nothing to see, else None.
        note: what is missing of a photo that is cut short, else None.
        orientation: as EXIF has it, 1 to 8; None where nobody has looked yet.
        taken_at: by the camera's clock, ISO 8601; None where the file does not say.
        kind: "photo" or "video".
        duration_s: of a video that could be read.
    """

    photo_id: int
    path: str
    sha256: str | None
    stamp: Stamp
    size_hw: tuple[int, int]
    detector: str | None
    embedder: str | None
    unreadable: str | None
    note: str | None
    orientation: int | None
    taken_at: str | None
    kind: str
    duration_s: float | None


@dataclass(frozen=True)
class StoredFaces:
    """All faces of a library that have a template of one model; parallel arrays of N.

    Attributes:
        face_id: int64.
        photo_id: int64.
        embeddings: float32 unit rows, shape (N, D); of a track the mean of its views, which counts as one face.
        blurs: bool, shape (N,): tiny and of poor quality, so that it may be anybody or no face at all.
        begin_s: float64, shape (N,): of a track in a video when it begins; nan for photos.
        end_s: likewise when it ends.
    """

    face_id: NDArray[np.int64]
    photo_id: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    blurs: NDArray[np.bool_]
    begin_s: NDArray[np.float64]
    end_s: NDArray[np.float64]

    def __getitem__(self, which: NDArray[np.bool_]) -> "StoredFaces":
        """The faces where a mask is true."""
        return StoredFaces(*(column[which] for column in vars(self).values()))

    @classmethod
    def joined(cls, parts: "list[StoredFaces]") -> "StoredFaces":
        """One after the other."""
        return cls(*map(np.concatenate, zip(*(vars(part).values() for part in parts), strict=True)))


class Catalogue(Database):
    """The open file behind a library; belongs to the thread that opened it. Rows are read by the names of columns.

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
        if create:
            make_library_folder(self.folder)
        super().__init__(self.folder / CATALOGUE, LIBRARY_FILE, create=create)
        self.templates = SqliteTemplates(self)

    def checkpoint(self) -> bool:
        """As of any file; deleted bytes go from the files of the index too."""
        self.templates.indexes.overwrite_removed()
        return super().checkpoint()

    def scrub(self) -> None:
        """Likewise."""
        self.templates.indexes.overwrite_removed()
        super().scrub()

    def photos(self) -> list[StoredPhoto]:
        """All photos that are there, by path."""
        return list(self.stream_photos())

    def stream_photos(self, where: str = "") -> Iterator[StoredPhoto]:
        """Likewise, one at a time; ``where`` is a further condition, such as " AND unreadable IS NULL"."""
        for row in self.stream(f"SELECT * FROM photos WHERE path NOTNULL{where} ORDER BY path"):
            yield stored_photo(row)

    def count_items(self) -> tuple[int, int]:
        """How many photos and videos are there, and how many of these are videos."""
        row = self.row("SELECT count(path), count(path) FILTER (WHERE kind = 'video') FROM photos")
        assert row is not None  # a count always is
        return row[0], row[1]

    def stamps(self) -> dict[str, Stamp]:
        """Of each photo that is there, and of each film of a still, by path."""
        rows = self.stream(
            "SELECT path, device, inode, size_bytes, mtime_ns FROM photos WHERE path IS NOT NULL"
            " UNION ALL SELECT path, device, inode, size_bytes, mtime_ns FROM films"
        )
        return {path_out(row["path"]): stamp_of(row) for row in rows}

    @property
    def photo_folder(self) -> Path | None:
        """Where the photos stood at the last scan; None before the first."""
        path = self.value("SELECT path FROM folder")
        return None if path is None else Path(path_out(path))

    def set_photo_folder(self, photos: Path) -> None:
        """The photos' paths are relative to this folder from now on."""
        if self.photo_folder == photos.resolve():
            return
        with self.transaction():
            self.execute("INSERT OR REPLACE INTO folder VALUES (1, ?)", (path_in(str(photos.resolve())),))

    def faces_of_model(self, model: str, dim: int) -> StoredFaces:
        """All faces that take part and have a template of the model with that sha256, in order of photo and place."""
        with self.snapshot():
            templates = list(self.templates.batches(model=model))
            rows = self.rows(
                "SELECT face_id, photo_id, faces.quality < ? AND (x1 - x0) * (y1 - y0) < ? AS blurred"
                ", begin_s, end_s FROM faces JOIN photos USING (photo_id) WHERE of_track IS NULL"
                " AND face_id NOT IN (SELECT face_id FROM ignored) ORDER BY path, begin_s, x0, face_id",
                (SET_ASIDE, TINY_PX**2),
            )
            views = self.rows("SELECT face_id, of_track FROM faces WHERE of_track NOTNULL")
        ids = np.concatenate([np.zeros(0, np.int64), *(batch.face_id for batch in templates)])
        vectors = np.concatenate([np.zeros((0, dim), np.int8), *(batch.vectors for batch in templates)])
        order = np.argsort(ids)
        faces = np.array([row["face_id"] for row in rows], np.int64)
        place = np.searchsorted(ids, faces, sorter=order)
        has = np.isin(faces, ids)
        embeddings = dequantise(vectors[order[place[has]]])
        photo_id, blurs, begin_s, end_s = (
            np.array([row[name] for row in rows], kind)[has]
            for name, kind in (("photo_id", "i8"), ("blurred", "?"), ("begin_s", "f8"), ("end_s", "f8"))
        )
        if views:
            of_track = {row["face_id"]: row["of_track"] for row in views}
            _add_views(faces[has], embeddings, ids, vectors, of_track)
        return StoredFaces(faces[has], photo_id, embeddings, blurs, begin_s, end_s)


class LibraryPart:
    """Some of the methods of a library, which has all of them."""

    _catalogue: Catalogue


def _add_views(
    faces: NDArray[np.int64],
    embeddings: NDArray[np.float32],
    ids: NDArray[np.int64],
    vectors: NDArray[np.int8],
    of_track: dict[int, int],
) -> None:
    """Give each face that stands for a track the mean of all its views, in place.

    Args:
        faces: shape (N,).
        embeddings: of them, unit rows, shape (N, D).
        ids: faces of all templates, shape (M,).
        vectors: of these, shape (M, D).
        of_track: the face that stands for the track, by each other view of it.
    """
    place = {number: i for i, number in enumerate(faces.tolist())}
    views = [i for i, number in enumerate(ids.tolist()) if of_track.get(number) in place]
    tracks = [place[of_track[int(ids[i])]] for i in views]
    np.add.at(embeddings, tracks, dequantise(vectors[views]))
    changed = np.unique(tracks).astype(np.intp)
    embeddings[changed] /= np.maximum(np.linalg.norm(embeddings[changed], axis=1, keepdims=True), 1e-12)


def stored_photo(row: sqlite3.Row) -> StoredPhoto:
    """The photo of a row of photos."""
    return StoredPhoto(
        row["photo_id"], path_out(row["path"]), row["sha256"], stamp_of(row), (row["height"] or 0, row["width"] or 0),
        row["detector"], row["embedder"], row["unreadable"], row["note"], row["orientation"], row["taken_at"],
        row["kind"], row["duration_s"],
    )  # fmt: skip


def stamp_of(row: sqlite3.Row) -> Stamp:
    """The stamp of a row of photos."""
    return row["device"], row["inode"], row["size_bytes"], row["mtime_ns"]
