"""One face enrolled under the client's key: again is once, and another picture under the same key takes its place."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facespace.gallery import EnrolledFace, Gallery
from facespace.models import ModelSpec
from facespace.saved_files import write_beside
from facespace.service.engine import Faces
from facespace.service.galleries import OpenGallery
from facespace.service.problems import ProblemError
from facespace.service.service import Asked, Service
from facespace.store import same_name
from facespace.table import FaceTable, face_id

FACE_KEY = "^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$"
# Keys of this form are the ids of faces that were enrolled by other ways.
FACE_ID = re.compile("[0-7][0-9a-f]{15}")
Outcome = Literal["new", "replaced", "unchanged"]


@dataclass(frozen=True)
class Probe:
    """One embedded face that shall be enrolled.

    Attributes:
        row: float32 unit row, shape (1, D).
        spec: of the embedder.
        sha256: of what was sent.
        face: where it is in its picture; None where only the embedding was sent.
        content: of the picture; likewise.
    """

    row: NDArray[np.float32]
    spec: ModelSpec
    sha256: str
    face: Faces | None = None
    content: bytes | None = None

    @classmethod
    def of_picture(cls, faces: Faces, content: bytes) -> "Probe":
        """The one face of a picture."""
        return cls(faces.embeddings, faces.spec, faces.sha256, faces, content)

    @classmethod
    def of_embedding(cls, row: NDArray[np.float32], spec: ModelSpec) -> "Probe":
        """An embedding alone."""
        return cls(row[None], spec, hashlib.sha256(row.tobytes()).hexdigest())

    def table(self, number: int, photo: Path) -> FaceTable:
        """As a gallery takes it."""
        none, face = np.full(1, np.nan, np.float32), self.face
        return FaceTable(
            self.spec.sha256, (str(photo),), (self.sha256,), np.array([number], np.int64), np.zeros(1, np.int32),
            np.full((1, 4), np.nan, np.float32) if face is None else face.faces.boxes_xyxy,
            np.full((1, 5, 2), np.nan, np.float32) if face is None else face.faces.landmarks_xy,
            none if face is None else face.faces.scores, none if face is None else face.quality, self.row,
        )  # fmt: skip


def face_number(key: str) -> int:
    """The id of the face with a client's key: made of it alone, so that a key is one face in every store."""
    return face_id(f"key/{key}", 0)


def numbers_of(key: str) -> list[int]:
    """The ids that a key in an address may mean."""
    return [face_number(key), *([int(key, 16)] if FACE_ID.fullmatch(key) else [])]


def key_of(gallery: OpenGallery, face: EnrolledFace) -> str:
    """The key of an enrolled face: the client's, or its id."""
    photo = Path(face.photo)
    own = photo.parent.name == gallery.pictures.name and face_number(photo.name) == face.face_id
    return photo.name if own else f"{face.face_id:016x}"


async def enrol(
    service: Service, asked: Asked, *, key: str, subject: str, probe: Probe
) -> tuple[Outcome, EnrolledFace]:
    """Enrol a face; it is safe from a kill of the process when this returns.

    Raises:
        ProblemError: a key of the form of ids.
        InputError: a name that is none.
        GalleryError: the gallery has gone over to another model meanwhile, or cannot be written.
    """
    if FACE_ID.fullmatch(key):
        raise ProblemError(422, "invalid", "key: 16 hexadecimal digits name faces enrolled by other ways")
    gallery = asked.gallery
    number, photo = face_number(key), gallery.pictures / key
    table = probe.table(number, photo)

    def put(opened: Gallery) -> tuple[Outcome, EnrolledFace]:
        before = opened.find_faces([number]).get(number)
        if before is not None and _is_same(opened, before, subject, probe):
            return "unchanged", before
        if probe.content is not None and gallery.keeps_pictures:
            write_beside(photo, probe.content, private=True)
        opened.replace(table, [subject], probe.spec)
        return "new" if before is None else "replaced", opened.find_faces([number])[number]

    outcome, face = await gallery.write(put)
    if outcome != "unchanged":
        service.audit.write(
            "enrol", by=asked.by, gallery=gallery.name, subject=subject, face=key, outcome=outcome
        )
    return outcome, face


def _is_same(opened: Gallery, before: EnrolledFace, subject: str, probe: Probe) -> bool:
    if before.photo_sha256 != probe.sha256 or not same_name(before.subject, subject):
        return False
    return bool(opened.templates.of_faces(np.array([before.face_id]), model=probe.spec.sha256))


async def remove_faces(
    service: Service, asked: Asked, faces: list[EnrolledFace], *, subject: str | None = None
) -> bool:
    """Remove faces with their kept pictures, and the subject if one is named; whether nothing is left in the file.

    Raises:
        GalleryError: they are not there any more.
    """
    gallery, ids = asked.gallery, [face.face_id for face in faces]
    subjects = [] if subject is None else [subject]
    done = await gallery.write(
        lambda opened: opened.remove(subjects=subjects, face_id=[] if subjects else ids)
    )
    for face in faces:
        if gallery.keeps_pictures:
            (gallery.pictures / key_of(gallery, face)).unlink(missing_ok=True)
        service.audit.write(
            "remove", by=asked.by, gallery=gallery.name, subject=face.subject, face=key_of(gallery, face)
        )
    if subject is not None:
        service.audit.write(
            "remove-subject", by=asked.by, gallery=gallery.name, subject=subject, n_faces=len(faces)
        )
    return done.overwritten
