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
from facespace.errors import ImageError, ModelError
from facespace.extract import FaceEmbedder, in_order
from facespace.faces.detections import Detections
from facespace.gallery import embed_again
from facespace.images import Unreadable
from facespace.library.catalogue import Catalogue
from facespace.library.grouping import Rule, grouped_by, keep_groups, last_rule
from facespace.library.progress import OnProgress
from facespace.models import ModelSpec, find_model, find_weights
from facespace.store import path_out

__all__ = ["Upgrade", "check_model", "library_model", "reading_embedder", "upgrade"]

# Faces with a template of some model but none of the new one; those that people spoke of first.
WAITING = (
    "SELECT face_id, photo_id, path, sha256, x0, y0, x1, y1, landmarks, faces.quality AS quality"
    " FROM faces JOIN photos USING (photo_id) LEFT JOIN assignments USING (face_id) LEFT JOIN people USING (person_id)"
    " WHERE path NOTNULL AND sha256 NOTNULL AND length(landmarks) = 40"
    " AND face_id IN (SELECT face_id FROM templates)"
    " AND face_id NOT IN (SELECT face_id FROM templates JOIN models USING (model_id) WHERE models.sha256 = ?)"
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


@dataclass(frozen=True)
class _Job:
    """The faces of one photo that wait for the new model."""

    photo_id: int
    path: str
    sha256: str
    face_ids: NDArray[np.int64]
    faces: Detections
    quality: NDArray[np.float32]


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
    n_done, n_faces = _progress(catalogue, spec)
    if n_done < n_faces:
        raise ModelError(
            f"{catalogue.folder}: stands on {standing.label}, and {n_faces - n_done} of its {n_faces} faces have no "
            f"template of {spec.label}; `facespace people` with that model, or Library.upgrade, moves it"
        )


def reading_embedder(
    catalogue: Catalogue, embedder: FaceEmbedder, *, old: str | Path | None = None
) -> FaceEmbedder:
    """The embedder by which new photos are read: that of the library's model where it is at hand.

    Args:
        catalogue: open.
        embedder: the one that is wanted.
        old: name or file of the library's model; looked for among the built-in models and the user's own unless given.

    Raises:
        ModelError: ``old`` is no model, or not the library's.
    """
    standing = library_model(catalogue)
    if standing is None or standing.sha256 == embedder.spec.sha256:
        return embedder
    file = find_weights(standing.sha256) if old is None else find_model(old, "embedder")
    if file is None:
        return embedder
    reader = Embedder(file)
    if reader.spec.sha256 != standing.sha256:
        raise ModelError(f"{file}: expected the library's model {standing.label}, met {reader.spec.label}")
    return reader


def upgrade(
    catalogue: Catalogue,
    photos: Path,
    embedder: FaceEmbedder,
    *,
    rule: Rule | None = None,
    keep_old: bool = False,
    workers: int | None = None,
    progress: OnProgress | None = None,
    stop: Event | None = None,
) -> Upgrade:
    """Give all faces templates of the embedder's model, then group by it and drop the old templates.

    Each photo is a transaction of its own: a run that is stopped or killed is gone on with by the same call, and
    others read, correct and search the library all the while. Confirmed faces and named people come first. A photo
    whose content has changed is read anew by the next scan; faces whose photo cannot be opened keep their old template.
    Where all is done already, this costs one question to the catalogue.

    Args:
        catalogue: open.
        photos: the folder that the photos' paths are relative to.
        embedder: of the new model; must have a byte form.
        rule: of the new groups; that of the last ones unless given.
        keep_old: leave the old templates where they are.
        workers: threads; all cores when absent.
        progress: called with ("embedding", faces done, faces in all).
        stop: once it is set, no further photo is begun.

    Raises:
        ModelError: the new model has no byte form or is not calibrated.
        LibraryError: the library cannot be written.
    """
    standing, spec = library_model(catalogue), embedder.spec
    before = spec if standing is None else standing
    n_before, n_faces = _progress(catalogue, spec)
    n_done = n_before
    missing: list[Unreadable] = []
    jobs = _plan(catalogue, spec) if n_before < n_faces else []
    if jobs:
        (rule or last_rule(catalogue)).threshold(
            spec, n_faces
        )  # a model that cannot group is refused before the work
        catalogue.templates.add_model(spec)
    for job, rows in in_order(lambda job: _embed(job, photos, embedder), jobs, workers=workers):
        if isinstance(rows, Unreadable):
            missing.append(rows)
        elif rows is None:
            _distrust(catalogue, job)
        else:
            n_done += _keep(catalogue, job, rows, spec)
            if progress:
                progress("embedding", n_done, n_faces)
        if stop is not None and stop.is_set():
            return Upgrade(
                before.label, spec.label, n_faces, n_done, n_done - n_before, False, tuple(missing)
            )
    if jobs or before.sha256 != spec.sha256:
        keep_groups(catalogue, spec, rule or last_rule(catalogue))
    if not keep_old:
        _drop_old(catalogue, spec)
    return Upgrade(before.label, spec.label, n_faces, n_done, n_done - n_before, True, tuple(missing))


def _progress(catalogue: Catalogue, spec: ModelSpec) -> tuple[int, int]:
    """Faces of photos that are there: with a template of the model, and with any."""
    row = catalogue.row(
        "SELECT count(DISTINCT face_id) FILTER (WHERE models.sha256 = ?) AS done, count(DISTINCT face_id) AS faces"
        " FROM templates JOIN models USING (model_id)",
        (spec.sha256,),
    )
    assert row is not None  # counts always are
    return row["done"], row["faces"]


def _plan(catalogue: Catalogue, spec: ModelSpec) -> list[_Job]:
    """The waiting faces by photo; a photo's turn is that of its first face."""
    photos: dict[int, list[sqlite3.Row]] = {}
    for row in catalogue.stream(WAITING, (spec.sha256,)):
        photos.setdefault(row["photo_id"], []).append(row)
    return [_job(rows) for rows in photos.values()]


def _job(rows: list[sqlite3.Row]) -> _Job:
    landmarks = np.frombuffer(b"".join(row["landmarks"] for row in rows), "<f4").reshape(-1, 5, 2)
    faces = Detections(
        np.array([[row[side] for side in ("x0", "y0", "x1", "y1")] for row in rows], np.float32),
        landmarks.astype(np.float32),
        np.zeros(len(rows), np.float32),
    )
    return _Job(
        rows[0]["photo_id"],
        path_out(rows[0]["path"]),
        rows[0]["sha256"],
        np.array([row["face_id"] for row in rows], np.int64),
        faces,
        np.array([row["quality"] for row in rows], np.float32),
    )


def _embed(
    job: _Job, root: Path, embedder: FaceEmbedder
) -> tuple[_Job, NDArray[np.float32] | Unreadable | None]:
    """None where the photo's content is another one now."""
    try:
        return job, embed_again(root / job.path, job.sha256, job.faces, embedder)
    except ImageError as error:
        return job, Unreadable(Path(job.path), error.reason)


def _distrust(catalogue: Catalogue, job: _Job) -> None:
    """The next scan compares the photo by its content."""
    with catalogue.transaction():
        catalogue.execute("UPDATE photos SET mtime_ns = -1 WHERE photo_id = ?", (job.photo_id,))


def _keep(catalogue: Catalogue, job: _Job, rows: NDArray[np.float32], spec: ModelSpec) -> int:
    """Keep the new templates of faces that are still there and not forgotten; returns how many."""
    with catalogue.transaction():
        there = set(
            catalogue.values(
                "SELECT face_id FROM faces JOIN photos USING (photo_id) WHERE photo_id = ? AND sha256 = ?"
                " AND face_id IN (SELECT face_id FROM templates)",
                (job.photo_id, job.sha256),
            )
        )
        kept = np.array([number in there for number in job.face_ids.tolist()], bool)
        catalogue.templates.add(job.face_ids[kept], rows[kept], spec, quality=job.quality[kept])
    return int(kept.sum())


def _drop_old(catalogue: Catalogue, spec: ModelSpec) -> None:
    """The templates of other models of all faces that have one of this; out of the bytes of the file too."""
    new = "(SELECT model_id FROM models WHERE sha256 = ?)"
    with catalogue.transaction():
        dropped = catalogue.execute(
            f"DELETE FROM templates WHERE model_id != {new}"
            f" AND face_id IN (SELECT face_id FROM templates WHERE model_id = {new})",
            (spec.sha256, spec.sha256),
        ).rowcount
        if dropped:
            catalogue.execute(
                "UPDATE photos SET embedder = ? WHERE embedder NOTNULL AND NOT EXISTS (SELECT 1 FROM faces"
                f" JOIN templates USING (face_id) WHERE faces.photo_id = photos.photo_id AND model_id != {new})",
                (spec.sha256, spec.sha256),
            )
    if dropped:
        catalogue.checkpoint()
