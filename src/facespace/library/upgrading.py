"""Move a library to a better model: names and corrections stay, no photo is searched for faces again.

A library stands on one model, by whose templates its faces are grouped and searched. Another one takes its place when
the faces have templates of it: each is embedded again from its photo, at the box and landmarks that are known. Until
then all goes on by the old model, new photos too where its file is at hand.
"""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from facespace.embed import Embedder
from facespace.errors import ModelError
from facespace.extract import FaceEmbedder
from facespace.faces.detections import Detections
from facespace.images import Unreadable
from facespace.library.catalogue import Catalogue, LibraryPart
from facespace.library.grouping import Rule, grouped_by, keep_groups, last_rule
from facespace.library.progress import OnProgress
from facespace.models import ModelSpec, find_model, find_weights
from facespace.models.devices import AUTO
from facespace.store import path_in, path_out
from facespace.store.upgrading import Job, Moved, embed_waiting
from facespace.store.upgrading import drop_old as drop_old_templates
from facespace.store.upgrading import progress as progress_of

# Confirmed faces and named people first.
WAITING = (
    "SELECT face_id, photo_id, path, sha256, x0, y0, x1, y1, landmarks, faces.quality AS quality, time_s"
    " FROM faces JOIN photos USING (photo_id) LEFT JOIN assignments USING (face_id) LEFT JOIN people USING (person_id)"
    " WHERE path NOTNULL AND sha256 NOTNULL AND length(landmarks) = 40"
    " ORDER BY state IS NOT 'confirmed', name ISNULL, faces.quality DESC, face_id"
)


@dataclass(frozen=True)
class Upgrade:
    """How far a library has come with a new model.

    Attributes:
        before: label of the model that the library stood on; the same as ``after`` where there was nothing to do.
        after: label of the new one.
        n_faces: with a template of any model.
        n_done: with one of the new model.
        n_embedded: of these, by this call.
        is_complete: the library stands on the new model now.
        not_at_hand: photos whose faces keep their old template for now, and why.
    """

    before: str
    after: str
    n_faces: int
    n_done: int
    n_embedded: int
    is_complete: bool
    not_at_hand: tuple[Unreadable, ...] = ()

    def line(self) -> str:
        """For people."""
        return (
            f"{self.after} takes the place of {self.before}: {self.n_done:,} of {self.n_faces:,} faces done"
            + ("; the groups are its own now" if self.is_complete else "")
        )


def library_model(catalogue: Catalogue) -> ModelSpec | None:
    """The model that a library stands on: that of its groups, before the first ones that of most templates."""
    count, sha256 = catalogue.templates.count(), grouped_by(catalogue)
    if sha256 not in count:
        sha256 = max(count, key=lambda model: count[model], default=None)
    return catalogue.templates.model(sha256)


def check_model(catalogue: Catalogue, spec: ModelSpec) -> None:
    """A library is not grouped by a model of which some of its faces have no template yet.

    Raises:
        ModelError: it stands on another one.
    """
    standing = library_model(catalogue)
    if standing is None or standing.sha256 == spec.sha256:
        return
    n_done, n_faces = progress_of(catalogue.templates, spec)
    if n_done < n_faces:
        raise ModelError(
            f"{catalogue.folder}: stands on {standing.label}, and {n_faces - n_done} of its {n_faces} faces have no "
            f"template of {spec.label}; `facespace people` with that model, or Library.upgrade, moves it"
        )


class Upgrading(LibraryPart):
    """What a library does with its model."""

    def model(self) -> ModelSpec | None:
        """The model that the library stands on: its faces are grouped and searched by the templates of that model."""
        return library_model(self._catalogue)

    def reading_embedder(self, embedder: FaceEmbedder, *, old: str | Path | None = None) -> FaceEmbedder:
        """The embedder by which new photos are read: that of the library's model where it is at hand.

        Args:
            embedder: the one that is wanted.
            old: name or file of the library's model; looked for among the built-in models and the user's own unless
                given.

        Raises:
            ModelError: ``old`` is no model, or not the library's.
        """
        standing = self.model()
        if standing is None or standing.sha256 == embedder.spec.sha256:
            return embedder
        file = find_weights(standing.sha256) if old is None else find_model(old, "embedder")
        if file is None:
            return embedder
        reader = Embedder(file, device=getattr(embedder, "device", AUTO))
        if reader.spec.sha256 != standing.sha256:
            raise ModelError(
                f"{file}: expected the library's model {standing.label}, met {reader.spec.label}"
            )
        return reader

    def upgrade(
        self,
        photos: Path,
        embedder: FaceEmbedder,
        *,
        rule: Rule | None = None,
        workers: int | None = None,
        progress: OnProgress | None = None,
        stop: Event | None = None,
    ) -> Upgrade:
        """Give all faces templates of the embedder's model, then group by it; a part of `refresh`.

        Old templates stay until `drop_old`. Each photo is a transaction of its own: the same call resumes a run that
        was stopped or killed, and others read, correct and search the library all the while. Confirmed faces and named
        people come first. A photo whose content has changed is read again by the next scan; faces whose photo cannot be
        opened keep their old template. Where all is done already, this costs one question to the file.

        Args:
            photos: the folder that the photos' paths are relative to.
            embedder: of the new model; must have a byte form.
            rule: of the new groups; that of the last ones unless given.
            workers: threads; all cores when absent.
            progress: called with ("embedding", faces done, faces in all).
            stop: once it is set, no further photo is begun.

        Raises:
            ModelError: the new model has no byte form or is not calibrated.
            LibraryError: the library cannot be written.
        """
        catalogue, standing, spec = self._catalogue, self.model(), embedder.spec
        before, rule = spec if standing is None else standing, rule or last_rule(catalogue)
        n_before, n_faces = progress_of(catalogue.templates, spec)
        moved = Moved(0, (), False)
        if n_before < n_faces:
            rule.threshold(spec, n_faces)  # a model that cannot group is refused before the work
            moved = embed_waiting(
                LibraryFaces(catalogue, photos), embedder, workers=workers, stop=stop,
                on_face=lambda done: progress("embedding", n_before + done, n_faces) if progress else None,
            )  # fmt: skip
        if not moved.is_stopped and (n_before < n_faces or before.sha256 != spec.sha256):
            keep_groups(catalogue, spec, rule)
            _note_embedder(catalogue, spec)
        n_done = n_before + moved.n_embedded
        return Upgrade(
            before.label,
            spec.label,
            n_faces,
            n_done,
            moved.n_embedded,
            not moved.is_stopped,
            moved.not_at_hand,
        )

    def drop_old(self) -> dict[str, int]:
        """Drop the templates of other models of all faces that have one of the library's; there is no way back.

        They are overwritten in the file. Faces that have only old templates keep them.

        Returns:
            how many templates of each model, by its label.

        Raises:
            LibraryError: the library cannot be written.
        """
        catalogue, spec = self._catalogue, self.model()
        if spec is None:
            return {}
        labels = {known.sha256: known.label for known in catalogue.templates.models()}
        with catalogue.transaction():
            dropped = drop_old_templates(catalogue.templates, spec)
        if dropped:
            catalogue.drop_kept()
            catalogue.checkpoint()
        return {labels[sha256]: n for sha256, n in dropped.items()}


def _note_embedder(catalogue: Catalogue, spec: ModelSpec) -> None:
    """Photos whose faces all have a template of the model count as read by it."""
    done = np.isin(catalogue.templates.faces(), catalogue.templates.faces(spec.sha256))
    rest = set(catalogue.templates.faces()[~done].tolist())
    with catalogue.transaction():
        faces = catalogue.rows("SELECT face_id, photo_id FROM faces")
        waiting = {row["photo_id"] for row in faces if row["face_id"] in rest}
        photos = catalogue.values("SELECT photo_id FROM photos WHERE embedder != ?", (spec.sha256,))
        catalogue.execute_all(
            "UPDATE photos SET embedder = ? WHERE photo_id = ?",
            [(spec.sha256, photo) for photo in photos if photo not in waiting],
        )


class LibraryFaces:
    """The faces of a library as `facespace.store.upgrading.embed_waiting` takes them.

    Args:
        catalogue: open.
        photos: the folder that the photos' paths are relative to.
    """

    def __init__(self, catalogue: Catalogue, photos: Path) -> None:
        self.catalogue, self.photos, self.templates = catalogue, photos, catalogue.templates

    def waiting(self, spec: ModelSpec) -> list[Job]:
        """By photo, which is in turn with its first face."""
        with self.catalogue.snapshot():
            waiting = set(self.templates.faces().tolist()) - set(self.templates.faces(spec.sha256).tolist())
            rows = [row for row in self.catalogue.stream(WAITING) if row["face_id"] in waiting]
        photos: dict[int, list[sqlite3.Row]] = {}
        for row in rows:
            photos.setdefault(row["photo_id"], []).append(row)
        paths = {number: Path(path_out(faces[0]["path"])) for number, faces in photos.items()}
        return [_job(self.photos, paths[n], faces) for n, faces in photos.items()]

    def still_there(self, job: Job) -> NDArray[np.bool_]:
        """Forgotten ones are not, nor those of a photo that was read again with another content."""
        marks = ", ".join("?" * len(job.face_id))
        there = self.catalogue.values(
            f"SELECT face_id FROM faces JOIN photos USING (photo_id) WHERE sha256 = ? AND face_id IN ({marks})",
            (job.sha256, *job.face_id.tolist()),
        )
        with_templates = [one.face_id for one in self.templates.of_faces(job.face_id)]
        return np.isin(job.face_id, there) & np.isin(job.face_id, np.concatenate([*with_templates, []]))

    def is_changed(self, job: Job) -> str:
        """The next scan compares the photo by its content."""
        with self.catalogue.transaction():
            self.catalogue.execute(
                "UPDATE photos SET mtime_ns = -1 WHERE path = ?", (path_in(str(job.name)),)
            )
        return ""


def _job(photos: Path, name: Path, rows: list[sqlite3.Row]) -> Job:
    """The faces of one photo by their rows, or those of one video."""
    boxes = np.array([[row[side] for side in ("x0", "y0", "x1", "y1")] for row in rows], np.float32)
    points = np.frombuffer(b"".join(row["landmarks"] for row in rows), "<f4").reshape(-1, 5, 2)
    faces = Detections(boxes, points.astype(np.float32), np.zeros(len(rows), np.float32))
    ids = np.array([row["face_id"] for row in rows], np.int64)
    quality = np.array([row["quality"] for row in rows], np.float32)  # None becomes nan
    times_s = None if rows[0]["time_s"] is None else tuple(row["time_s"] for row in rows)
    return Job(photos / name, rows[0]["sha256"], ids, faces, quality, name, times_s)
