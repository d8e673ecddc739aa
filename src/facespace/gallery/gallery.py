"""A gallery: people with their names and faces in one file, and who of them a face shows."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from facespace.embed import dequantise, quantise
from facespace.errors import GalleryError
from facespace.gallery import exporting
from facespace.gallery.enrolment import Enrolling
from facespace.gallery.glance import Overview
from facespace.gallery.identification import FPIR, Identities, identify
from facespace.gallery.matches import NEAREST, Match, matches_of
from facespace.gallery.milvus_roster import MilvusRoster
from facespace.gallery.roster import EnrolledFace, Removal, Roster, Subject
from facespace.gallery.sqlite_roster import SqliteRoster
from facespace.gallery.upgrading import Upgrading
from facespace.gallery.uses import UsingModel
from facespace.models import VERIFY_FAR, ModelSpec
from facespace.store import IndexSettings, IndexState, OnStep, TemplateStore, check_rows
from facespace.store.milvus.address import is_milvus


class Gallery(UsingModel, Enrolling, Upgrading):
    """An open gallery; use it in a `with` block, in one thread.

    Everything that is written is all there or, after an error, none of it, and outlives a kill of the process once the
    call has returned. A file that cannot be written, on a read-only disk, is opened to be read.

    Args:
        path: the file; made, for its owner alone, if absent. Or the address of a gallery in Milvus, such as
            "milvus://host:19530/team"; what that promises less stands at `facespace.store.milvus.MilvusTemplates`.
        create: False makes an absent gallery an error.
        token: of Milvus, "user:password" or a key.

    Raises:
        GalleryError: here and by every method: the file cannot be opened, read or written, is no gallery, of a newer
            version, or damaged.
    """

    def __init__(self, path: Path | str, *, create: bool = True, token: str = "") -> None:
        self.roster: Roster = (
            MilvusRoster(str(path), token=token, create=create)
            if is_milvus(path)
            else SqliteRoster(Path(path), create=create)
        )

    def __enter__(self) -> "Gallery":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.roster.close(error)

    def close(self) -> None:
        """Close the file."""
        self.roster.close()

    @property
    def place(self) -> Path | str:
        """Where it is, as it was opened."""
        return self.roster.place

    @property
    def templates(self) -> TemplateStore:
        """The store of all faces' templates."""
        return self.roster.templates

    def subjects(self, *, after: str = "", limit: int | None = None) -> list[Subject]:
        """Everybody, by name; or those whose names come after one, at most so many."""
        return self.roster.subjects(after=after, limit=limit)

    def add_subject(self, name: str) -> bool:
        """Add a person without faces; whether nobody of that name was there.

        Raises:
            InputError: no name.
        """
        is_new = self.roster.find(name) is None
        self.roster.add_subject(name)
        return is_new

    def has_subject(self, name: str) -> bool:
        """Whether somebody of that name, or of one that looks like it, is there."""
        return self.roster.find(name) is not None

    def rename(self, name: str, to: str) -> None:
        """Give a person another name, or join with who has it already; see `Roster.rename`."""
        self.roster.rename(name, to)

    def find_faces(self, face_id: Sequence[int] | NDArray[np.int64]) -> dict[int, EnrolledFace]:
        """Those of the faces that are there, by their ids."""
        return self.roster.find_faces(face_id)

    def faces(self) -> Iterator[EnrolledFace]:
        """All faces, by subject's name and face id; the gallery may be written meanwhile."""
        return self.roster.faces()

    def faces_of(self, name: str) -> list[EnrolledFace]:
        """The faces of a subject, by id.

        Raises:
            GalleryError: nobody of that name.
        """
        return self.page_of_faces(subject=name)

    def page_of_faces(
        self, *, after: int = -1, limit: int | None = None, subject: str | None = None
    ) -> list[EnrolledFace]:
        """Faces with later ids, by id, of everybody or of one subject, at most so many.

        Raises:
            GalleryError: nobody of that name.
        """
        subject_id = None if subject is None else self.roster.known(subject)[0]
        return self.roster.page_of_faces(after=after, limit=limit, subject_id=subject_id)

    def count(self) -> tuple[int, int]:
        """How many subjects and faces there are."""
        return self.roster.count()

    def overview(self) -> Overview:
        """Everybody, the models and the history, at one moment."""
        with self.roster.snapshot():
            now = self.model()
            labels = {spec.sha256: spec.label for spec in self.templates.models()}
            return Overview(
                now.label if now else None,
                tuple(self.subjects()),
                {labels[sha256]: n for sha256, n in self.templates.count().items()},
                self.index_states(),
                self.progress() if now else None,
                tuple(self.roster.history()),
            )

    def identify(self, probes: NDArray[np.float32], spec: ModelSpec, *, fpir: float = FPIR) -> Identities:
        """The subject of each probe by the nearest prototype, or nobody.

        Distances of several pairs of models are ordered by the false-accept rates that they stand for. Prototypes are
        kept in memory until the gallery changes.

        Args:
            probes: float32 unit rows, shape (N, D).
            spec: of their embedder.
            fpir: the share of people who are not enrolled who may be taken for somebody, whatever the gallery's size.

        Raises:
            InputError: rows that are not of unit length, or a rate outside (0, 1).
            IncompatibleModelsError: all templates are of models that may not meet the probes'.
            ModelError: a pair of models is not calibrated.
        """
        with self.roster.snapshot():
            scale = self.templates.byte_scale(spec)
            as_stored = quantise(check_rows(probes, spec, "probes"), scale)
            sets, census = self.roster.prototypes(as_stored, spec)
            return identify(dequantise(as_stored), sets, census, self.roster.names_of, fpir=fpir)

    def search(
        self, probes: NDArray[np.float32], spec: ModelSpec, *, k: int = NEAREST, far: float = VERIFY_FAR
    ) -> list[list[Match]]:
        """The ``k`` enrolled faces nearest to each probe, the nearest first; fewer where the gallery holds fewer.

        Args:
            probes: float32 unit rows, shape (N, D).
            spec: of their embedder.
            k: at least 1.
            far: of one comparison; names the thresholds.

        Raises:
            InputError, IncompatibleModelsError, ModelError: see `TemplateStore.search`.
        """
        with self.roster.snapshot():
            hits = self.templates.search(probes, spec, k=k, far=far)
            faces = self.roster.find_faces(hits.face_id[hits.face_id >= 0])
        return matches_of(hits, faces)

    def remove(
        self, *, subjects: Sequence[str] = (), photos: Sequence[str | Path] = (), face_id: Sequence[int] = ()
    ) -> Removal:
        """Remove subjects with all their faces, the faces of photos, and single faces, for good.

        What is deleted is overwritten in a file, and the kept file of an earlier version goes; when it is gone from
        another store, `Removal.left` says.

        Args:
            subjects: names.
            photos: paths, as they are listed or from the current folder.
            face_id: as listed.

        Raises:
            GalleryError: a name, photo or face that is not there.
        """
        with self.roster.transaction():
            n_faces = sum(self.roster.remove_subject(name) for name in subjects)
            for photo in photos:
                n_faces += self._remove_faces(
                    self.roster.faces_from(photo), "photo", f"no face is from {photo}"
                )
            for number in face_id:
                n_faces += self._remove_faces([number], "face", f"none has the id {number}")
        left = self.roster.erase()
        return Removal(len(subjects), n_faces, not left, left)

    def _remove_faces(self, face_id: list[int], what: str, met: str) -> int:
        n = self.roster.remove_faces(face_id)
        if not n:
            raise GalleryError(f"{self.place}: expected a {what} of the gallery, {met}")
        return n

    def export(self, path: Path, *, formulas: str = "names") -> int:
        """Write all faces to ``path`` in the form that its ending names; it is replaced once the new file is whole.

        Of each face its template by the gallery's model counts, else the newest that may meet it, as in a search. CSV
        and JSON say of which model it is; `.npz` holds it: `embedding` (N, D) int8, `labels` (the subjects' names),
        `face_id`, `model` (sha256), `quality`, `photos`, which `facespace measure` reads too.

        Args:
            path: of the file.
            formulas: cells of a CSV that a spreadsheet program would take for formulas are made text: "names", "all"
                or none ("keep"); see `facespace.spreadsheets.text_cells`.

        Returns:
            how many faces were written.

        Raises:
            InputError: another ending, or nothing of that sort.
            GalleryError: nobody is enrolled.
            WriteError: the file cannot be written.
        """
        return exporting.export(self.roster, path, formulas=formulas)

    def check(self) -> tuple[str, ...]:
        """What is wrong with the file, its references, models, templates and index, a line each; empty if sound."""
        return self.roster.problems()

    @property
    def index_settings(self) -> IndexSettings:
        """How the templates are searched; `set_index` of the roster changes it."""
        return self.roster.index_settings

    def index_states(self) -> dict[str, IndexState]:
        """What a search rests on: the index of the templates of each model, by the model's label."""
        labels = {spec.sha256: spec.label for spec in self.templates.models()}
        return {labels[model]: state for model, state in self.templates.index_states().items()}

    def refresh_index(self, *, again: bool = False, on_step: OnStep | None = None) -> bool:
        """Build the index beside the file where it is due; see `Roster.refresh_index`."""
        return self.roster.refresh_index(again=again, on_step=on_step)

    def backup(self, path: Path) -> None:
        """Copy the gallery as it is at this moment; see `Roster.backup`."""
        self.roster.backup(path)
