"""One face enrolled under the client's key: again is once, and another picture under the same key takes its place."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from facespace.gallery import EnrolledFace, Gallery
from facespace.saved_files import write_beside
from facespace.service.galleries import OpenGallery
from facespace.service.probes import Probes
from facespace.service.problems import ProblemError
from facespace.service.service import Asked
from facespace.store import name_key, same_name
from facespace.table import UNKNOWN, FaceTable, face_id

FACE_KEY = "^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$"
# Keys of this form are the ids of faces that were enrolled by other ways.
FACE_ID = re.compile("[0-7][0-9a-f]{15}")
Outcome = Literal["new", "replaced", "unchanged"]
# Names of people, and faces.
Removed = tuple[Sequence[str], Sequence[EnrolledFace]]


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
    asked: Asked, probe: Probes, *, subject: str, key: str | None = None
) -> tuple[Outcome, EnrolledFace]:
    """Enrol a face; it is safe from a kill of the process when this returns.

    Args:
        asked: in which gallery.
        probe: one face.
        subject: the person.
        key: of the client's; one made of what was sent when None.

    Raises:
        ProblemError: a key of the form of ids.
        InputError: a name that is none.
        GalleryError: the gallery has gone over to another model meanwhile, or cannot be written.
    """
    key = key or probe.sha256[:32]
    if FACE_ID.fullmatch(key):
        raise ProblemError(422, "invalid", "key: 16 hexadecimal digits name faces enrolled by other ways")
    gallery = asked.gallery
    number, photo = face_number(key), gallery.pictures / key
    table = _table(probe, number, photo)

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
        asked.log("enrol", subject=subject, face=key, outcome=outcome)
    return outcome, face


def _table(probe: Probes, number: int, photo: Path) -> FaceTable:
    """One face as a gallery takes it."""
    place = (UNKNOWN,) * 4
    if probe.faces is not None:
        found = probe.faces.faces
        place = found.boxes_xyxy, found.landmarks_xy, found.scores, probe.faces.quality
    return FaceTable(
        probe.spec.sha256,
        (str(photo),),
        (probe.sha256,),
        np.array([number]),
        np.array([0]),
        *place,
        probe.rows,
    )


def _is_same(opened: Gallery, before: EnrolledFace, subject: str, probe: Probes) -> bool:
    if before.photo_sha256 != probe.sha256 or not same_name(before.subject, subject):
        return False
    return bool(opened.templates.of_faces(np.array([before.face_id]), model=probe.spec.sha256))


async def remove(asked: Asked, chosen: Callable[[Gallery], Removed]) -> tuple[Removed, bool]:
    """Remove people and faces with their kept pictures, as they are chosen in the thread that writes.

    Args:
        asked: from which gallery.
        chosen: of the open gallery the names of people and all faces of these, or no names and some faces.

    Returns:
        what was chosen; and whether nothing is left of it in the file.

    Raises:
        GalleryError: they are not there any more.
        ProblemError: of ``chosen``.
    """

    def work(opened: Gallery) -> tuple[Removed, bool]:
        subjects, faces = chosen(opened)
        if not (subjects or faces):
            return (subjects, faces), True
        ids = [] if subjects else [face.face_id for face in faces]
        return (subjects, faces), opened.remove(subjects=subjects, face_id=ids).overwritten

    gallery = asked.gallery
    (subjects, faces), overwritten = await gallery.write(work)
    for face in faces:
        key = key_of(gallery, face)
        if gallery.keeps_pictures:
            (gallery.pictures / key).unlink(missing_ok=True)
        asked.log("remove", subject=face.subject, face=key)
    n_faces = Counter(name_key(face.subject) for face in faces)
    for subject in subjects:
        asked.log("remove-subject", subject=subject, n_faces=n_faces[name_key(subject)])
    return (subjects, faces), overwritten
