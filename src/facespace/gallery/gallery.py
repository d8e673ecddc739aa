"""A gallery: subjects, their faces, and the templates of these in one file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import GalleryError, InputError
from facespace.gallery.schema import GALLERY_FILE
from facespace.models import ModelSpec
from facespace.store import Database, Hits, SqliteTemplates, clean_name, path_in, path_out
from facespace.table import FaceTable

__all__ = ["EnrolledFace", "Gallery", "Subject"]


@dataclass(frozen=True)
class Subject:
    """A person of a gallery.

    Attributes:
        subject_id: stable, never used again.
        name: unique in the gallery.
        n_faces: enrolled, 0 or more.
    """

    subject_id: int
    name: str
    n_faces: int


@dataclass(frozen=True)
class EnrolledFace:
    """A face of a subject, with what is needed to embed it again from its photo.

    Attributes:
        face_id: stable.
        subject: name.
        photo: its path as given at enrolment.
        photo_sha256: of its content.
        box_xyxy: pixels of the upright photo; None for a ready crop.
        landmarks_xy: float32, shape (5, 2), likewise.
        score: the detector's; None for a ready crop.
        quality: in [0, 1]; None where it is not known.
    """

    face_id: int
    subject: str
    photo: str
    photo_sha256: str
    box_xyxy: tuple[float, float, float, float] | None
    landmarks_xy: NDArray[np.float32] | None
    score: float | None
    quality: float | None


class Gallery:
    """An open gallery; use it in a `with` block, in one thread.

    Args:
        path: the file; made, for its owner alone, if absent.
        create: False makes an absent file an error.

    Raises:
        GalleryError: the file cannot be opened, is no gallery, or of a newer version.

    Attributes:
        templates: the store of all templates.
        database: the file, for transactions over several calls.
    """

    def __init__(self, path: Path | str, *, create: bool = True) -> None:
        self.database = Database(Path(path), GALLERY_FILE, create=create)
        self.templates = SqliteTemplates(self.database)

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close(error)

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def subjects(self) -> list[Subject]:
        """Everybody, by name."""
        with self.database.snapshot() as connection:
            rows = connection.execute(
                "SELECT subject_id, name, count(face_id) FROM subjects LEFT JOIN faces USING (subject_id)"
                " GROUP BY subject_id ORDER BY name"
            ).fetchall()
        return [Subject(*row) for row in rows]

    def add_subject(self, name: str) -> int:
        """The id of the subject of that name, who is added if there is none.

        Raises:
            InputError: an empty name.
            GalleryError: the file cannot be written.
        """
        clean = clean_name(name)
        with self.database.transaction() as connection:
            connection.execute("INSERT INTO subjects (name) VALUES (?) ON CONFLICT DO NOTHING", (clean,))
            row = connection.execute("SELECT subject_id FROM subjects WHERE name = ?", (clean,)).fetchone()
        return int(row[0])

    def enrol(self, faces: FaceTable, names: Sequence[str], spec: ModelSpec) -> int:
        """Keep faces with their templates: all of them or, after an error, none.

        A face that is there already keeps its id and takes the new template in place of its old one of this model.
        The model of the first enrolment becomes the gallery's.

        Args:
            faces: N faces with embeddings of ``spec``'s model.
            names: the subject of each face, N; who is not there is added.
            spec: of the embedder.

        Returns:
            how many faces were new. When it returns, the faces outlive a kill of the process.

        Raises:
            InputError: embeddings of another model, not a name for each face, or a face twice.
            GalleryError: a face is enrolled for someone else, or the file cannot be written.
        """
        if faces.model != spec.sha256:
            raise InputError(
                f"faces: expected embeddings of {spec.label}, got those of model {faces.model[:8]}"
            )
        if len(names) != len(faces):
            raise InputError(f"names: expected one for each of {len(faces)} faces, got {len(names)}")
        with self.database.transaction() as connection:
            new = sum(self._add_face(row, name) for row, name in zip(_face_rows(faces), names, strict=True))
            self.templates.add(faces.face_id, faces.embedding, spec, quality=faces.quality)
            connection.execute(
                "INSERT INTO history (moment, action, model_id) SELECT strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), 'use',"
                " model_id FROM models WHERE sha256 = ? AND NOT EXISTS (SELECT 1 FROM history)",
                (spec.sha256,),
            )
        return new

    def _add_face(self, row: tuple[Any, ...], name: str) -> bool:
        """Whether the face is new."""
        subject = self.add_subject(name)
        connection = self.database.connection
        there = connection.execute(
            "SELECT subject_id, name FROM faces JOIN subjects USING (subject_id) WHERE face_id = ?", row[:1]
        ).fetchone()
        if there is None:
            connection.execute(
                f"INSERT INTO faces VALUES ({', '.join('?' * 11)})", (row[0], subject, *row[1:])
            )
        elif there[0] != subject:
            raise GalleryError(
                f"face {row[0]} of {path_out(row[1])}: expected a new face or one of {name}, it is enrolled for "
                f"{there[1]}; remove it there first"
            )
        return there is None

    def remove_subject(self, name: str) -> int:
        """Drop a subject with faces and templates; returns the number of faces.

        What is deleted is overwritten in the file.

        Raises:
            GalleryError: nobody of that name, or the file cannot be written.
        """
        clean = clean_name(name)
        with self.database.transaction() as connection:
            (n,) = connection.execute(
                "SELECT count(*) FROM faces JOIN subjects USING (subject_id) WHERE name = ?", (clean,)
            ).fetchone()
            if connection.execute("DELETE FROM subjects WHERE name = ?", (clean,)).rowcount == 0:
                raise self._nobody(name)
        return int(n)

    def remove_faces(self, face_id: Sequence[int] | NDArray[np.int64]) -> int:
        """Drop faces with their templates; subjects stay. Returns how many there were.

        Raises:
            GalleryError: the file cannot be written.
        """
        ids = np.asarray(face_id, np.int64).tolist()
        with self.database.transaction() as connection:
            cursor = connection.executemany("DELETE FROM faces WHERE face_id = ?", [(i,) for i in ids])
            return max(0, cursor.rowcount)

    def faces(self) -> Iterator[EnrolledFace]:
        """All faces, by subject's name and face id; the gallery may be written meanwhile."""
        for subject in self.subjects():
            yield from self._faces_of(subject)

    def faces_of(self, name: str) -> list[EnrolledFace]:
        """The faces of a subject, by id.

        Raises:
            GalleryError: nobody of that name.
        """
        for subject in self.subjects():
            if subject.name == clean_name(name):
                return self._faces_of(subject)
        raise self._nobody(name)

    def _faces_of(self, subject: Subject) -> list[EnrolledFace]:
        with self.database.snapshot() as connection:
            rows = connection.execute(
                "SELECT * FROM faces WHERE subject_id = ? ORDER BY face_id", (subject.subject_id,)
            ).fetchall()
        return [_enrolled(row, subject.name) for row in rows]

    def _nobody(self, name: str) -> GalleryError:
        return GalleryError(
            f"{self.database.path}: expected a subject of the gallery, nobody is called {name}"
        )

    def find_faces(self, face_id: Sequence[int] | NDArray[np.int64]) -> dict[int, EnrolledFace]:
        """Those of the faces that are there, by their ids."""
        with self.database.snapshot() as connection:
            rows = [
                connection.execute(
                    "SELECT faces.*, name FROM faces JOIN subjects USING (subject_id) WHERE face_id = ?", (i,)
                ).fetchone()
                for i in np.unique(np.asarray(face_id, np.int64)).tolist()
            ]
        return {row[0]: _enrolled(row[:-1], row[-1]) for row in rows if row is not None}

    def search(
        self, probes: NDArray[np.float32], spec: ModelSpec, *, k: int, far: float | None = None
    ) -> Hits:
        """The k nearest faces of each probe; see `TemplateStore.search`."""
        return self.templates.search(probes, spec, k=k, far=far)

    def subjects_of(self, face_id: NDArray[np.int64]) -> NDArray[np.int64]:
        """The subject's id of each face, in the shape of ``face_id``; -1 for a face that is not there (any more)."""
        ids = np.asarray(face_id, np.int64)
        unique, inverse = np.unique(ids, return_inverse=True)
        with self.database.snapshot() as connection:
            rows = [
                connection.execute("SELECT subject_id FROM faces WHERE face_id = ?", (i,)).fetchone()
                for i in unique.tolist()
            ]
        subjects = np.array([-1 if row is None else row[0] for row in rows], np.int64)
        return subjects[inverse.reshape(ids.shape)]


def _face_rows(faces: FaceTable) -> Iterator[tuple[Any, ...]]:
    """A face's columns but for the subject; SQLite keeps nan as null."""
    for i in range(len(faces)):
        photo = int(faces.photo_idx[i])
        landmarks = faces.landmarks_xy[i]
        yield (
            int(faces.face_id[i]),
            path_in(faces.photos[photo]),
            faces.photo_sha256[photo],
            *faces.box_xyxy[i].tolist(),
            None if np.isnan(landmarks).any() else landmarks.astype("<f4").tobytes(),
            float(faces.score[i]),
            float(faces.quality[i]),
        )


def _enrolled(row: tuple[Any, ...], subject: str) -> EnrolledFace:
    face_id, _, photo, digest, x0, y0, x1, y1, landmarks, score, quality = row
    return EnrolledFace(
        face_id, subject, path_out(photo), digest,
        None if x0 is None else (x0, y0, x1, y1),
        None if landmarks is None else np.frombuffer(landmarks, "<f4").reshape(5, 2),
        score, quality,
    )  # fmt: skip
