"""Enrol people by their photos or ready crops: one face of each photo, committed photo by photo."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facespace.errors import GalleryError
from facespace.extract import FaceDetector, FaceEmbedder, content_hash, extract_tables
from facespace.gallery.gallery import Gallery
from facespace.gallery.naming import NamedPhotos
from facespace.gallery.uses import model_in_use, use_model
from facespace.images import Unreadable
from facespace.models import ModelSpec
from facespace.store import clean_name
from facespace.table import FaceTable
from facespace.verification import choose_face

__all__ = ["Enrolment", "enrol"]


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
    gallery: Gallery,
    photos: NamedPhotos,
    detector: FaceDetector | None,
    embedder: FaceEmbedder,
    *,
    model_file: str | Path | None = None,
    min_quality: float = 0.0,
    workers: int | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> Enrolment:
    """Enrol the largest face of each photo.

    Each photo is committed by itself: a run that is stopped, even killed, loses at most the photos in flight, and the
    next one goes on. Paths are kept whole, so that an upgrade finds the photos again from wherever it is run.

    Args:
        gallery: an open gallery; the first enrolment makes the embedder's model the gallery's.
        photos: each with the name of its subject, who is added if absent.
        detector: finds the faces; None where the files are ready crops.
        embedder: of the gallery's model.
        model_file: the model's name or file, for later commands.
        min_quality: poorer faces are refused.
        workers: threads; all cores when absent.
        on_photo: called with (photos done, in all) when a photo's face is safe.

    Raises:
        GalleryError: the gallery has another model, or cannot be written.
    """
    _check_model(gallery, embedder.spec)
    named = [(path, clean_name(name)) for path, name in photos]
    todo = _not_done(gallery, named, embedder.spec)
    use_model(gallery, embedder.spec, model_file)
    n_new, several, refused = 0, [], []
    tables = extract_tables([path for path, _ in todo], detector, embedder, workers=workers)
    for done, ((path, name), found) in enumerate(zip(todo, tables, strict=True), 1):
        reason = _why_not(gallery, found, name, min_quality)
        if reason:
            refused.append(Unreadable(path, reason))
        elif isinstance(found, FaceTable):
            n_new += gallery.enrol(_largest_face(found, path), [name], embedder.spec)
            several += [path] if len(found) > 1 else []
        if on_photo:
            on_photo(done, len(todo))
    return Enrolment(len(photos), n_new, len(photos) - len(todo), tuple(several), tuple(refused))


def _check_model(gallery: Gallery, spec: ModelSpec) -> None:
    now = model_in_use(gallery)
    if now is not None and now.spec.sha256 != spec.sha256:
        raise GalleryError(
            f"{gallery.database.path}: expected faces by the gallery's model {now.spec.label}, got {spec.label}; go "
            "over to it first: facespace gallery upgrade GALLERY --to MODEL"
        )


def _not_done(gallery: Gallery, photos: NamedPhotos, spec: ModelSpec) -> NamedPhotos:
    """Photos of whose content the subject has no template of this model yet."""
    with gallery.database.snapshot() as connection:
        known = set(
            connection.execute(
                "SELECT photo_sha256, name FROM faces JOIN subjects USING (subject_id) JOIN templates USING (face_id)"
                " JOIN models USING (model_id) WHERE sha256 = ?",
                (spec.sha256,),
            )
        )
    # An empty gallery need not read any photo for that.
    return [(path, name) for path, name in photos if not known or (content_hash(path), name) not in known]


def _why_not(gallery: Gallery, found: FaceTable | Unreadable, name: str, min_quality: float) -> str:
    """Why no face of a photo is enrolled; empty if one is."""
    if isinstance(found, Unreadable):
        return found.reason
    if not len(found):
        return "no face found; try a larger or sharper picture"
    face = _largest(found)
    number, quality = int(found.face_id[face]), float(found.quality[face])
    if quality < min_quality:
        return f"quality {quality:.2f}, below {min_quality:g}"
    there = gallery.find_faces([number]).get(number)
    if there is not None and there.subject != name:
        return f"the same picture is enrolled for {there.subject}, not for {name}; remove it there first"
    return ""


def _largest(found: FaceTable) -> int:
    return 0 if len(found) == 1 else choose_face(found.box_xyxy)


def _largest_face(found: FaceTable, path: Path) -> FaceTable:
    face = _largest(found)
    return dataclasses.replace(found[face : face + 1], photos=(str(path.absolute()),))
