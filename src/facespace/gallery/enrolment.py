"""Enrol people by their photos or ready crops: one face of each photo, committed photo by photo."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facespace.errors import InputError
from facespace.extract import FaceDetector, FaceEmbedder, content_hash, extract_tables
from facespace.gallery.loading import largest_faces
from facespace.gallery.naming import NamedPhotos
from facespace.gallery.roster import Roster
from facespace.gallery.uses import check_model, model_in_use, use_model
from facespace.images import Unreadable
from facespace.models import ModelSpec
from facespace.store import clean_name, name_key, same_name
from facespace.table import FaceTable


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


class Enrolling:
    """What a gallery does to enrol people."""

    roster: Roster

    def enrol(
        self,
        photos: NamedPhotos,
        detector: FaceDetector | None,
        embedder: FaceEmbedder,
        *,
        model_file: str | Path | None = None,
        min_quality: float = 0.0,
        workers: int | None = None,
        on_photo: Callable[[int, int], None] | None = None,
    ) -> Enrolment:
        """Enrol the largest face of each photo, committed by itself: after a stop or a kill the same call resumes.

        Paths are kept whole, so that an upgrade finds the photos again from wherever it is run.

        Args:
            photos: each with the name of its subject, who is added if absent.
            detector: finds the faces; None where the files are ready crops.
            embedder: of the gallery's model; the first enrolment makes it that.
            model_file: the model's name or file, for later commands.
            min_quality: poorer faces are refused.
            workers: threads; all cores when absent.
            on_photo: called with (photos done, in all) when a photo's face is safe.

        Raises:
            InputError: a name that is none.
            GalleryError: the gallery has another model.
        """
        check_model(self.roster, embedder.spec)
        named = [(path, clean_name(name)) for path, name in photos]
        todo = _not_done(self.roster, named, embedder.spec)
        use_model(self.roster, embedder.spec, model_file)
        n_new, several, refused = 0, [], []
        tables = extract_tables([path for path, _ in todo], detector, embedder, workers=workers)
        for done, ((path, name), found) in enumerate(zip(todo, tables, strict=True), 1):
            face = found if isinstance(found, Unreadable) else found[largest_faces(found)]
            reason = _why_not(self.roster, face, name, min_quality)
            if reason:
                refused.append(Unreadable(path, reason))
            elif isinstance(face, FaceTable):
                face = dataclasses.replace(face, photos=(str(path.absolute()),))
                n_new += self.load(face, [name], embedder.spec)
                several += [path] if isinstance(found, FaceTable) and len(found) > 1 else []
            if on_photo:
                on_photo(done, len(todo))
        return Enrolment(len(photos), n_new, len(photos) - len(todo), tuple(several), tuple(refused))

    def load(self, faces: FaceTable, names: Sequence[str], spec: ModelSpec) -> int:
        """Enrol faces that are embedded already.

        A face that is there already keeps its id and takes the new template in place of its old one of this model.

        Args:
            faces: N faces with embeddings of ``spec``'s model.
            names: the subject of each face, N; who is not there is added.
            spec: of the embedder; the first enrolment makes its model the gallery's.

        Returns:
            how many faces were new.

        Raises:
            InputError: embeddings of another model, not a name for each face, or a face twice.
            GalleryError: a face is enrolled for someone else.
        """
        if faces.model != spec.sha256:
            raise InputError(
                f"faces: expected embeddings of {spec.label}, got those of model {faces.model[:8]}"
            )
        if len(names) != len(faces):
            raise InputError(f"names: expected one for each of {len(faces)} faces, got {len(names)}")
        # In the order of the ids rows of tables and indexes lie side by side, so that many are written in a few pages.
        order = np.argsort(faces.face_id, kind="stable")
        if len(faces) > 1:
            faces, names = faces[order], [names[i] for i in order.tolist()]
        with self.roster.transaction():
            new = self.roster.add_faces(faces, names)
            self.roster.templates.add(faces.face_id, faces.embedding, spec, quality=faces.quality)
            if model_in_use(self.roster) is None:
                use_model(self.roster, spec)
        return new

    def replace(self, faces: FaceTable, names: Sequence[str], spec: ModelSpec) -> int:
        """Enrol faces in place of what there is of the same ids, whose templates of all models go; see `load`.

        Raises:
            InputError: as `load`.
            GalleryError: the gallery has another model.
        """
        with self.roster.transaction():
            check_model(self.roster, spec)
            n_before = self.roster.remove_faces(faces.face_id)
            return self.load(faces, names, spec) - n_before


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


def _why_not(roster: Roster, face: FaceTable | Unreadable, name: str, min_quality: float) -> str:
    """Why the largest face of a photo is not enrolled; empty if it is."""
    if isinstance(face, Unreadable):
        return face.reason
    if not len(face):
        return "no face found; try a larger or sharper picture"
    number, quality = int(face.face_id[0]), float(face.quality[0])
    if quality < min_quality:
        return f"quality {quality:.2f}, below {min_quality:g}"
    there = roster.find_faces([number]).get(number)
    if there is not None and not same_name(there.subject, name):
        return f"the same picture is enrolled for {there.subject}, not for {name}; remove it there first"
    return ""
