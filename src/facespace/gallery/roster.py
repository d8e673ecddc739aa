"""What a gallery is made of: its subjects, their faces and its history; the interface behind which a store stands."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import GalleryError
from facespace.models import ModelSpec
from facespace.store import (
    Census,
    IndexSettings,
    OnStep,
    Prototypes,
    TemplateStore,
    clean_name,
    name_key,
    shown_name,
)
from facespace.table import FaceTable

USE, DROP = "use", "drop"


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
        landmarks_xy: the five points, likewise.
        score: the detector's; None for a ready crop.
        quality: in [0, 1]; None where it is not known.
    """

    face_id: int
    subject: str
    photo: str
    photo_sha256: str
    box_xyxy: tuple[float, float, float, float] | None
    landmarks_xy: tuple[tuple[float, float], ...] | None
    score: float | None
    quality: float | None


@dataclass(frozen=True)
class Removal:
    """What was removed.

    Attributes:
        n_subjects: named and removed.
        n_faces: removed with their templates.
        overwritten: whether nothing of them is left where the gallery is kept: in a file, its log and its index.
        left: where something is, what ends that.
    """

    n_subjects: int
    n_faces: int
    overwritten: bool
    left: str = ""


@dataclass(frozen=True)
class Entry:
    """A line of a gallery's history.

    Attributes:
        moment: ISO 8601, UTC.
        action: "use": the model became the gallery's; "drop": its superseded templates were dropped.
        spec: of the model.
        file: of "use": the model's name or file; None where only embeddings came.
        n_templates: of "drop": how many; else None.
    """

    moment: str
    action: str
    spec: ModelSpec
    file: str | None = None
    n_templates: int | None = None

    def line(self) -> str:
        """For people."""
        if self.action == DROP:
            return f"{self.moment}: {self.n_templates} templates of {self.spec.label} dropped"
        return f"{self.moment}: {self.spec.label} became the gallery's model"


class Roster(ABC):
    """An open gallery, row by row; `Gallery` is what others use of it.

    What names and faces mean stands here; an engine reads and writes rows.

    Attributes:
        templates: the store of all faces' templates.
    """

    templates: TemplateStore

    @property
    @abstractmethod
    def place(self) -> Path | str:
        """Where the gallery is, for messages."""

    @abstractmethod
    def close(self, error: BaseException | None = None) -> None:
        """Close it; ``error`` is what its use ends with."""

    def snapshot(self) -> AbstractContextManager[object]:
        """All reads inside see the gallery at one moment."""
        return self.templates.snapshot()

    def transaction(self) -> AbstractContextManager[object]:
        """The writes inside are taken back if it ends with an error; when it has ended well they are safe."""
        return self.templates.transaction()

    @abstractmethod
    def subjects(self, *, after: str = "", limit: int | None = None) -> list[Subject]:
        """Everybody, by name; or those whose names come after one, at most so many."""

    @abstractmethod
    def find_all(self, names: Sequence[str]) -> dict[str, tuple[int, str]]:
        """Of the names those of subjects, or that look like theirs; the ids of these and the names as they are kept."""

    def find(self, name: str) -> tuple[int, str] | None:
        """The id of the subject of that name, or of one that looks like it, and the name as it is kept."""
        return self.find_all([name]).get(name)

    def known(self, name: str) -> tuple[int, str]:
        """Likewise.

        Raises:
            GalleryError: nobody of that name.
        """
        found = self.find(name)
        if found is None:
            raise GalleryError(
                f"{self.place}: expected a subject of the gallery, nobody is called {shown_name(name)}"
            )
        return found

    @abstractmethod
    def names_of(self, subject_id: NDArray[np.int64]) -> dict[int, str]:
        """The names of subjects by their ids."""

    @abstractmethod
    def count(self) -> tuple[int, int]:
        """How many subjects and faces there are."""

    @abstractmethod
    def page_of_faces(
        self, *, after: int = -1, limit: int | None = None, subject_id: int | None = None
    ) -> list[EnrolledFace]:
        """Faces with later ids, by id, of all subjects or of one, at most so many."""

    def faces(self) -> Iterator[EnrolledFace]:
        """All faces, by subject's name and face id; the gallery may be written meanwhile."""
        for subject in self.subjects():
            yield from self.page_of_faces(subject_id=subject.subject_id)

    def by_quality(self) -> list[EnrolledFace]:
        """All faces, the best first, those of unknown quality last, then by id."""
        return sorted(self.page_of_faces(), key=lambda face: 1.0 if face.quality is None else -face.quality)

    @abstractmethod
    def find_faces(self, face_id: Sequence[int] | NDArray[np.int64]) -> dict[int, EnrolledFace]:
        """Those of the faces that are there, by their ids."""

    @abstractmethod
    def faces_from(self, photo: str | Path) -> list[int]:
        """The ids of the faces of a photo, by its path as it is listed or from the current folder."""

    @abstractmethod
    def faces_showing(self, photo_sha256: Collection[str]) -> list[EnrolledFace]:
        """The faces of photos of these contents."""

    def enrolled(self, photo_sha256: Sequence[str], model: str) -> set[tuple[str, str]]:
        """Of these contents of photos those with a template of the model with that sha256, each with the key
        (`name_key`) of its subject."""
        with self.snapshot():
            faces = self.faces_showing(set(photo_sha256))
            ids = np.array([face.face_id for face in faces], np.int64)
            done = {int(i) for one in self.templates.of_faces(ids, model=model) for i in one.face_id}
        return {(face.photo_sha256, name_key(face.subject)) for face in faces if face.face_id in done}

    def add_subject(self, name: str) -> int:
        """The id of the subject of that name, who is added if there is none.

        Raises:
            InputError: no name.
            GalleryError: the gallery cannot be written.
        """
        with self.transaction():
            return self._with_names([name])[name]

    def _with_names(self, names: Sequence[str]) -> dict[str, int]:
        """The ids of the subjects of these names, who are added where there are none."""
        ids = {name: subject_id for name, (subject_id, _) in self.find_all(names).items()}
        added: dict[str, int] = {}
        for name in names:
            if name not in ids:
                clean = clean_name(name)
                key = name_key(clean)
                if key not in added:
                    added[key] = self.put_subject(clean)
                ids[name] = added[key]
        return ids

    def rename(self, name: str, to: str) -> None:
        """Give a subject another name, or all faces to the subject who has it already.

        Raises:
            InputError: no name.
            GalleryError: nobody of that name, or the gallery cannot be written.
        """
        with self.transaction():
            (subject_id, _), clean = self.known(name), clean_name(to)
            there = self.find(clean)
            if there is None or there[0] == subject_id:
                self.put_name(subject_id, clean)
            else:
                self.put_owner(subject_id, there[0])
                self.drop_subject(subject_id)

    def add_faces(self, faces: FaceTable, names: Sequence[str]) -> int:
        """Keep faces without templates; returns how many were new.

        Raises:
            GalleryError: a face is enrolled for someone else, or the gallery cannot be written.
        """
        with self.transaction():
            ids = self._with_names(list(dict.fromkeys(names)))
            owners, new = self.owners(faces.face_id), list[tuple[int, int]]()
            for row, (face_id, name) in enumerate(zip(faces.face_id.tolist(), names, strict=True)):
                subject_id = ids[name]
                if face_id not in owners:
                    owners[face_id] = subject_id
                    new.append((row, subject_id))
                elif owners[face_id] != subject_id:
                    other = self.names_of(np.array([owners[face_id]]))[owners[face_id]]
                    raise GalleryError(
                        f"face {face_id} of {faces.photos[int(faces.photo_idx[row])]}: expected a new face or one of "
                        f"{name}, it is enrolled for {other}; remove it there first"
                    )
            self.put_faces(faces, new)
        return len(new)

    @abstractmethod
    def remove_faces(self, face_id: Sequence[int] | NDArray[np.int64]) -> int:
        """Drop faces with their templates; subjects stay. Returns how many there were.

        Raises:
            GalleryError: the gallery cannot be written.
        """

    def remove_subject(self, name: str) -> int:
        """Drop a subject with faces and templates; returns the number of faces.

        Raises:
            GalleryError: nobody of that name, or the gallery cannot be written.
        """
        with self.transaction():
            subject_id, _ = self.known(name)
            n = self.remove_faces([face.face_id for face in self.page_of_faces(subject_id=subject_id)])
            self.drop_subject(subject_id)
        return n

    @abstractmethod
    def owners(self, face_id: NDArray[np.int64]) -> dict[int, int]:
        """The subject's id of each of the faces that are there."""

    @abstractmethod
    def put_subject(self, name: str) -> int:
        """Write a subject of a clean name that nobody has, inside a transaction; returns the id."""

    @abstractmethod
    def put_name(self, subject_id: int, name: str) -> None:
        """Write another clean name of a subject, that nobody else has, inside a transaction."""

    @abstractmethod
    def put_owner(self, subject_id: int, to: int) -> None:
        """Give all faces of a subject to another one, inside a transaction."""

    @abstractmethod
    def drop_subject(self, subject_id: int) -> None:
        """Drop a subject without faces, inside a transaction."""

    @abstractmethod
    def put_faces(self, faces: FaceTable, rows: Sequence[tuple[int, int]]) -> None:
        """Write faces that are not there, inside a transaction: rows of the table, each with its subject's id."""

    @abstractmethod
    def moved(self, face_id: Sequence[int], photo: str | Path) -> None:
        """Note where the photo of these faces is now."""

    @abstractmethod
    def prototypes(self, probes: NDArray[np.int8], spec: ModelSpec) -> tuple[tuple[Prototypes, ...], Census]:
        """The subjects' prototypes that probes of ``spec``'s model are compared with; call it inside a snapshot.

        Args:
            probes: byte vectors, shape (P, D): prototypes that are the nearest of none may be left out.
            spec: of their embedder.

        Returns:
            the prototypes of each pair of models, and the census of all there are.

        Raises:
            IncompatibleModelsError: there are templates, all of models that may not meet the probes'.
            ModelError: a pair of models is not calibrated.
        """

    @abstractmethod
    def history(self) -> list[Entry]:
        """All lines, the oldest first."""

    @abstractmethod
    def note(self, entry: Entry) -> None:
        """Add a line to the history; its model is remembered.

        Raises:
            GalleryError: the gallery cannot be written.
        """

    @property
    def index_settings(self) -> IndexSettings:
        """How the templates are searched."""
        return IndexSettings()

    def set_index(self, settings: IndexSettings) -> None:
        """Keep other settings.

        Raises:
            GalleryError: the index is the engine's own.
        """
        raise GalleryError(f"{self.place}: its index is set in the engine that keeps it, not here")

    @abstractmethod
    def refresh_index(self, *, again: bool = False, on_step: OnStep | None = None) -> bool:
        """Bring the index beside the file up to date where it is due; others search and write meanwhile.

        Without an index all templates are read from the file once and compared; answers are right, and slower. The
        commands that enrol do this at their end; a program that enrols does it now and then, in a thread and with a
        `Gallery` of its own.

        Args:
            again: also if it is not due.
            on_step: called with (templates done, in all) where an index of cells is built.

        Returns:
            False where another process or thread is building it; True at once where an engine keeps its own.

        Raises:
            WriteError: there is no room for its files, or no right to write them.
        """

    @abstractmethod
    def erase(self) -> str:
        """Do what can be done that nothing of removed rows stays anywhere; where something may, what will end that."""

    @abstractmethod
    def problems(self) -> tuple[str, ...]:
        """What is wrong, a line each; empty for a sound gallery."""

    @abstractmethod
    def backup(self, path: Path) -> None:
        """Copy the gallery as it is at this moment, while others may write it.

        Raises:
            InputError: something else stands at ``path``.
            WriteError: the copy cannot be written.
            GalleryError: the gallery cannot be copied.
        """
