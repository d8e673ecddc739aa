"""Move a gallery to a newer model that may meet its old one: at once, face by face, and back."""

import dataclasses
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import GalleryError
from facespace.extract import FaceEmbedder
from facespace.faces.detections import Detections
from facespace.gallery.roster import DROP, USE, EnrolledFace, Entry, Roster
from facespace.gallery.uses import current_spec, note_drop, use_model
from facespace.images import Unreadable
from facespace.models import ModelSpec
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


def upgrade(
    roster: Roster,
    embedder: FaceEmbedder,
    *,
    model_file: str | Path | None = None,
    at_once: bool = False,
    photos: Path | None = None,
    workers: int | None = None,
    on_face: Callable[[Progress], None] | None = None,
    on_look: Callable[[int, int], None] | None = None,
) -> Upgrade:
    """See `Gallery.upgrade`."""
    before, spec = current_spec(roster), embedder.spec
    check_meets(roster.templates, spec)
    use_model(roster, spec, model_file)
    start, n_embedded, missing = progress_of(roster), 0, tuple[Unreadable, ...]()
    if not at_once:
        follow = None if on_face is None else lambda done: on_face(start.after(done))
        moved = embed_waiting(
            EnrolledFaces(roster), embedder, look_in=photos, workers=workers, on_face=follow, on_look=on_look
        )
        n_embedded, missing = moved.n_embedded, moved.not_at_hand
    return Upgrade(spec.label, before.label, progress_of(roster), n_embedded, missing)


def progress_of(roster: Roster) -> Progress:
    """How many faces have a template of the gallery's model, and what that is worth.

    The model's spec may hold `options["tar"]`, of comparing its own embeddings, and `options["tar_mixed"]`, by the
    sha256 of an older model, of mixed comparison, both at `options["far"]`.

    Raises:
        GalleryError: nobody is enrolled yet.
    """
    with roster.snapshot():
        spec, count = current_spec(roster), roster.templates.count()
        n_faces = roster.count()[1]
    others = [sha256 for sha256 in count if sha256 != spec.sha256]
    old = spec.options.get("tar_mixed", {}).get(others[0]) if len(others) == 1 else None
    new, far = spec.options.get("tar"), spec.options.get("far")
    return Progress(n_faces, count.get(spec.sha256, 0), old, new, far)


def step_back(roster: Roster) -> Entry:
    """See `Gallery.step_back`."""
    entries = roster.history()
    now = current_spec(roster)
    uses = [entry for entry in entries if entry.action == USE]
    first = next(i for i, entry in enumerate(uses) if entry.spec.sha256 == now.sha256)
    if first == 0:
        raise GalleryError(
            f"{roster.place}: expected an earlier model to go back to, {now.label} is its first"
        )
    earlier = uses[first - 1]
    dropped = [e for e in entries if e.action == DROP and e.spec.sha256 == earlier.spec.sha256]
    if dropped:
        raise GalleryError(
            f"{roster.place}: cannot go back to {earlier.spec.label}: its templates were dropped on "
            f"{dropped[-1].moment}"
        )
    check_meets(roster.templates, earlier.spec)
    use_model(roster, earlier.spec, earlier.file)
    return earlier


def drop_old(roster: Roster) -> dict[str, int]:
    """See `Gallery.drop_old`."""
    now = current_spec(roster)
    with roster.transaction():
        dropped = {}
        for sha256, n in drop_old_templates(roster.templates, now).items():
            spec = roster.templates.model(sha256)
            assert spec is not None  # a template's model is remembered
            note_drop(roster, spec, n)
            dropped[spec.label] = n
    roster.erase()
    return dropped


class EnrolledFaces:
    """The faces of a gallery as `embed_waiting` takes them."""

    def __init__(self, roster: Roster) -> None:
        self.roster, self.templates = roster, roster.templates

    def transaction(self) -> AbstractContextManager[object]:
        return self.roster.transaction()

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
