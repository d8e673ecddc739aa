"""Move a gallery to a newer model that may meet its old one: at once, face by face, and back."""

import dataclasses
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import GalleryError
from facespace.extract import FaceEmbedder
from facespace.faces.detections import Detections
from facespace.gallery.roster import DROP, USE, EnrolledFace, Entry, Roster
from facespace.gallery.uses import current_spec, use_model
from facespace.images import Unreadable
from facespace.models import ModelSpec
from facespace.store.candidates import moment_now
from facespace.store.upgrading import Job, check_meets, embed_waiting
from facespace.store.upgrading import drop_old as drop_old_templates


@dataclass(frozen=True)
class Progress:
    """How far a gallery has come with its model.

    Attributes:
        n_faces: enrolled.
        n_done: those with a template of the gallery's model.
        tar_old: TAR (VAL) of comparing a probe with an old template; None where the model's spec does not say.
        tar_new: with a new one; likewise.
        far: the false-accept rate of both.
    """

    n_faces: int
    n_done: int
    tar_old: float | None = None
    tar_new: float | None = None
    far: float | None = None

    @property
    def share(self) -> float:
        """Of the faces that are done; 1 in an empty gallery."""
        return self.n_done / self.n_faces if self.n_faces else 1.0

    @property
    def expected_tar(self) -> float | None:
        """TAR of comparing a probe with a face of the gallery as it is now, between the two by the share done."""
        if self.tar_new is None or self.share >= 1:
            return self.tar_new
        return None if self.tar_old is None else self.share * self.tar_new + (1 - self.share) * self.tar_old

    def after(self, n_more: int) -> "Progress":
        """When ``n_more`` faces are done."""
        return dataclasses.replace(self, n_done=min(self.n_faces, self.n_done + n_more))

    def line(self) -> str:
        """For people."""
        tar = self.expected_tar
        more = "" if tar is None else f", expected TAR {tar:.1%} at FAR {self.far:g}"
        return f"{self.n_done:,} of {self.n_faces:,} faces ({self.share:.0%}) have a template of this model{more}"

    def to_json(self) -> dict[str, Any]:
        """What the commands print."""
        return {**dataclasses.asdict(self), "share": self.share, "expected_tar": self.expected_tar}


@dataclass(frozen=True)
class Upgrade:
    """What an upgrade did.

    Attributes:
        model: the gallery's from now on.
        before: the model before this run; the same where an upgrade was resumed.
        progress: where the gallery stands now.
        n_embedded: faces that were embedded again.
        not_at_hand: photos whose faces keep their old template, and why.
    """

    model: str
    before: str
    progress: Progress
    n_embedded: int
    not_at_hand: tuple[Unreadable, ...]


class Upgrading:
    """What a gallery does to move to another model."""

    roster: Roster

    def upgrade(
        self,
        embedder: FaceEmbedder,
        *,
        model_file: str | Path | None = None,
        at_once: bool = False,
        photos: Path | None = None,
        workers: int | None = None,
        on_face: Callable[[Progress], None] | None = None,
        on_look: Callable[[int, int], None] | None = None,
    ) -> Upgrade:
        """Make the embedder's model the gallery's, and give the faces whose photos are at hand templates of it.

        From the first moment probes of the new model are compared with the old templates, at the distances of mixed
        comparison. Then photo by photo, so that the gallery is searched and enrolled to all the while, and the same
        call resumes a run that was killed. Each subject gets a first template, of the face of the best quality,
        before any gets a second. Old templates stay until `drop_old`.

        Args:
            embedder: of the new model, or of the gallery's to resume.
            model_file: the model's name or file, for later commands.
            at_once: embed nothing again.
            photos: folder in which photos that are not at their place any more are looked for by their content.
            workers: threads; all cores when absent.
            on_face: follows along.
            on_look: called with (files looked at, in all) while photos are looked for.

        Raises:
            IncompatibleModelsError: faces of the gallery have only templates that the new model may not meet.
            ModelError: the new model, or its mixed comparison, is not calibrated.
            GalleryError: nobody is enrolled yet.
        """
        before, spec = current_spec(self.roster), embedder.spec
        check_meets(self.roster.templates, spec)
        use_model(self.roster, spec, model_file)
        start, n_embedded, missing = self.progress(), 0, tuple[Unreadable, ...]()
        if not at_once:
            follow = None if on_face is None else lambda done: on_face(start.after(done))
            moved = embed_waiting(
                EnrolledFaces(self.roster),
                embedder,
                look_in=photos,
                workers=workers,
                on_face=follow,
                on_look=on_look,
            )
            n_embedded, missing = moved.n_embedded, moved.not_at_hand
        return Upgrade(spec.label, before.label, self.progress(), n_embedded, missing)

    def progress(self) -> Progress:
        """How many faces have a template of the gallery's model, and what that is worth.

        The model's spec may hold `options["tar"]`, of comparing its own embeddings, and `options["tar_mixed"]`, by the
        sha256 of an older model, of mixed comparison, both at `options["far"]`.

        Raises:
            GalleryError: nobody is enrolled yet.
        """
        with self.roster.snapshot():
            spec, count = current_spec(self.roster), self.roster.templates.count()
            n_faces = self.roster.count()[1]
        others = [sha256 for sha256 in count if sha256 != spec.sha256]
        old = spec.options.get("tar_mixed", {}).get(others[0]) if len(others) == 1 else None
        new, far = spec.options.get("tar"), spec.options.get("far")
        return Progress(n_faces, count.get(spec.sha256, 0), old, new, far)

    def step_back(self) -> Entry:
        """Make the model before the gallery's the gallery's again; templates of both stay.

        Returns:
            the line of the history at which that model came.

        Raises:
            GalleryError: there is no earlier model, or its templates were dropped.
            IncompatibleModelsError: faces have only templates that the earlier model may not meet.
        """
        entries = self.roster.history()
        now = current_spec(self.roster)
        uses = [entry for entry in entries if entry.action == USE]
        first = next(i for i, entry in enumerate(uses) if entry.spec.sha256 == now.sha256)
        if first == 0:
            raise GalleryError(
                f"{self.roster.place}: expected an earlier model to go back to, {now.label} is its first"
            )
        earlier = uses[first - 1]
        dropped = [e for e in entries if e.action == DROP and e.spec.sha256 == earlier.spec.sha256]
        if dropped:
            raise GalleryError(
                f"{self.roster.place}: cannot go back to {earlier.spec.label}: its templates were dropped on "
                f"{dropped[-1].moment}"
            )
        check_meets(self.roster.templates, earlier.spec)
        use_model(self.roster, earlier.spec, earlier.file)
        return earlier

    def drop_old(self) -> dict[str, int]:
        """Drop the templates of other models of all faces that have one of the gallery's; there is no way back.

        Faces that have only old templates keep them, and are found by them as before.

        Returns:
            how many templates of each model, by its label.

        Raises:
            GalleryError: nobody is enrolled yet.
        """
        now = current_spec(self.roster)
        with self.roster.transaction():
            dropped = {}
            for sha256, n in drop_old_templates(self.roster.templates, now).items():
                spec = self.roster.templates.model(sha256)
                assert spec is not None  # a template's model is remembered
                self.roster.note(Entry(moment_now(), DROP, spec, n_templates=n))
                dropped[spec.label] = n
        self.roster.erase()
        return dropped


class EnrolledFaces:
    """The faces of a gallery as `embed_waiting` takes them."""

    def __init__(self, roster: Roster) -> None:
        self.roster, self.templates = roster, roster.templates

    def waiting(self, spec: ModelSpec) -> list[Job]:
        """By photo, which is in turn with its first face.

        A face's turn is the number of templates that its subject will have with it, the best quality first: a subject
        is found by any good template, so the first brings most.
        """
        with self.roster.snapshot():
            faces = self.roster.by_quality()
            done = self.templates.faces(spec.sha256)
        photos: dict[tuple[str, bool], list[EnrolledFace]] = {}
        for face in _in_turn(faces, done):
            # A ready crop and a photo of the same content are embedded differently.
            photos.setdefault((face.photo_sha256, face.landmarks_xy is None), []).append(face)
        return [_job(of_photo) for of_photo in photos.values()]

    def still_there(self, job: Job) -> NDArray[np.bool_]:
        """And the photo of these faces is where it was found now."""
        there = list(self.roster.find_faces(job.face_id))
        self.roster.moved(there, job.photo)
        return np.isin(job.face_id, there)

    def is_changed(self, job: Job) -> str:
        return "the file has changed since it was enrolled"


def _job(faces: list[EnrolledFace]) -> Job:
    """The faces of one photo, or of one ready crop."""
    path, found = Path(faces[0].photo), None
    if faces[0].landmarks_xy is not None:
        boxes = np.array([face.box_xyxy for face in faces], np.float32)
        points = np.array([face.landmarks_xy for face in faces], np.float32)
        found = Detections(boxes, points, np.zeros(len(faces), np.float32))
    ids = np.array([face.face_id for face in faces], np.int64)
    quality = np.array([face.quality for face in faces], np.float32)  # None becomes nan
    return Job(path, faces[0].photo_sha256, ids, found, quality, path)


def _in_turn(faces: list[EnrolledFace], done: NDArray[np.int64]) -> list[EnrolledFace]:
    """The faces that are not done; of the same turn they stay in order, the best first."""
    are_done = np.isin([face.face_id for face in faces], done).tolist()
    n_of = Counter(face.subject for face, is_done in zip(faces, are_done, strict=True) if is_done)
    turns = []
    for face, is_done in zip(faces, are_done, strict=True):
        if not is_done:
            n_of[face.subject] += 1
            turns.append((n_of[face.subject], face))
    return [face for _, face in sorted(turns, key=lambda turn: turn[0])]
