"""Enrol people by their photos or ready crops: one face of each photo, committed photo by photo."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facespace.errors import GalleryError, InputError
from facespace.extract import FaceDetector, FaceEmbedder, content_hash, extract_tables
from facespace.gallery.naming import NamedPhotos
from facespace.gallery.roster import Roster
from facespace.gallery.uses import model_in_use, use_model
from facespace.images import Unreadable
from facespace.models import ModelSpec
from facespace.store import clean_name, name_key, same_name
from facespace.table import FaceTable
from facespace.verification import choose_face


@dataclass(frozen=True)
class Enrolment:
    """What an enrolment did.

    Attributes:
        n_photos: photos asked for.
        n_new: faces that are enrolled now and were not.
        n_known: photos whose content was enrolled by this model already; they cost nothing.
        several: photos with several faces, of which the largest was taken.
        refused: photos of which no face was enrolled, and why.
    """

    n_photos: int
    n_new: int
    n_known: int
    several: tuple[Path, ...]
    refused: tuple[Unreadable, ...]


def enrol(
    roster: Roster,
    photos: NamedPhotos,
    detector: FaceDetector | None,
    embedder: FaceEmbedder,
    *,
    model_file: str | Path | None = None,
    min_quality: float = 0.0,
    workers: int | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> Enrolment:
    """See `Gallery.enrol`."""
    check_model(roster, embedder.spec)
    named = [(path, clean_name(name)) for path, name in photos]
    todo = _not_done(roster, named, embedder.spec)
    use_model(roster, embedder.spec, model_file)
    n_new, several, refused = 0, [], []
    tables = extract_tables([path for path, _ in todo], detector, embedder, workers=workers)
    for done, ((path, name), found) in enumerate(zip(todo, tables, strict=True), 1):
        reason = _why_not(roster, found, name, min_quality)
        if reason:
            refused.append(Unreadable(path, reason))
        elif isinstance(found, FaceTable):
            n_new += load(roster, _largest_face(found, path), [name], embedder.spec)
            several += [path] if len(found) > 1 else []
        if on_photo:
            on_photo(done, len(todo))
    return Enrolment(len(photos), n_new, len(photos) - len(todo), tuple(several), tuple(refused))


def load(roster: Roster, faces: FaceTable, names: Sequence[str], spec: ModelSpec) -> int:
    """See `Gallery.load`."""
    if faces.model != spec.sha256:
        raise InputError(f"faces: expected embeddings of {spec.label}, got those of model {faces.model[:8]}")
    if len(names) != len(faces):
        raise InputError(f"names: expected one for each of {len(faces)} faces, got {len(names)}")
    # In the order of the ids rows of tables and indexes lie side by side, so that many are written in a few pages.
    order = np.argsort(faces.face_id, kind="stable")
    if len(faces) > 1:
        faces, names = faces[order], [names[i] for i in order.tolist()]
    with roster.transaction():
        new = roster.add_faces(faces, names)
        roster.templates.add(faces.face_id, faces.embedding, spec, quality=faces.quality)
        if model_in_use(roster) is None:
            use_model(roster, spec)
    return new


def replace(roster: Roster, faces: FaceTable, names: Sequence[str], spec: ModelSpec) -> int:
    """See `Gallery.replace`."""
    with roster.transaction():
        check_model(roster, spec)
        n_before = roster.remove_faces(faces.face_id)
        return load(roster, faces, names, spec) - n_before


def check_model(roster: Roster, spec: ModelSpec) -> None:
    """Only faces by the gallery's own model are enrolled.

    Raises:
        GalleryError: it has another one.
    """
    now = model_in_use(roster)
    if now is not None and now.spec.sha256 != spec.sha256:
        raise GalleryError(
            f"{roster.place}: expected faces by the gallery's model {now.spec.label}, got {spec.label}; go "
            "over to it first: facespace gallery upgrade GALLERY --to MODEL"
        )


def _not_done(roster: Roster, photos: NamedPhotos, spec: ModelSpec) -> NamedPhotos:
    """Photos of whose content the subject has no template of this model yet."""
    # An empty gallery need not read any photo for that.
    if not roster.count()[1]:
        return photos
    contents = [content_hash(path) for path, _ in photos]
    known = roster.enrolled(contents, spec.sha256)
    return [
        one for one, content in zip(photos, contents, strict=True) if (content, name_key(one[1])) not in known
    ]


def _why_not(roster: Roster, found: FaceTable | Unreadable, name: str, min_quality: float) -> str:
    """Why no face of a photo is enrolled; empty if one is."""
    if isinstance(found, Unreadable):
        return found.reason
    if not len(found):
        return "no face found; try a larger or sharper picture"
    face = _largest(found)
    number, quality = int(found.face_id[face]), float(found.quality[face])
    if quality < min_quality:
        return f"quality {quality:.2f}, below {min_quality:g}"
    there = roster.find_faces([number]).get(number)
    if there is not None and not same_name(there.subject, name):
        return f"the same picture is enrolled for {there.subject}, not for {name}; remove it there first"
    return ""


def _largest(found: FaceTable) -> int:
    return 0 if len(found) == 1 else choose_face(found.box_xyxy)


def _largest_face(found: FaceTable, path: Path) -> FaceTable:
    face = _largest(found)
    return dataclasses.replace(found[face : face + 1], photos=(str(path.absolute()),))
