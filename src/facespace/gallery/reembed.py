"""Faces that lack a template of a model: in which order, from which photo, and how they get one."""

import dataclasses
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import ImageError
from facespace.extract import FaceEmbedder, content_hash, embed_known_faces, in_order
from facespace.faces.detections import Detections
from facespace.gallery.gallery import EnrolledFace, Gallery
from facespace.images import list_photos, read_bytes
from facespace.models import ModelSpec
from facespace.store.database import path_in

__all__ = ["Job", "Redone", "embed_again", "embed_job", "find_moved", "keep", "plan_jobs"]


@dataclass(frozen=True)
class Job:
    """The faces of one photo that lack a template of the model.

    Attributes:
        photo: where the photo is looked for.
        sha256: of its content.
        faces: at least one.
    """

    photo: str
    sha256: str
    faces: tuple[EnrolledFace, ...]


@dataclass(frozen=True)
class Redone:
    """A job's outcome: embeddings, float32 unit rows, shape (N, D), of its faces, or the reason why there are none."""

    job: Job
    rows: NDArray[np.float32] | None
    reason: str = ""


def plan_jobs(gallery: Gallery, spec: ModelSpec) -> list[Job]:
    """The faces that lack a template of the model, by photo, in order of priority.

    A face's turn is the number of templates that its subject will have with it, the best quality first; a photo's is
    that of its first face.
    """
    with gallery.database.snapshot() as connection:
        ids = [
            row[0]
            for row in connection.execute(
                "WITH done AS (SELECT face_id FROM templates JOIN models USING (model_id) WHERE sha256 = ?),"
                " has AS (SELECT subject_id, count(*) AS n FROM faces WHERE face_id IN done GROUP BY subject_id)"
                " SELECT face_id FROM faces LEFT JOIN has USING (subject_id) WHERE face_id NOT IN done"
                " ORDER BY coalesce(n, 0) + row_number() OVER (PARTITION BY subject_id ORDER BY"
                " coalesce(quality, -1) DESC, face_id), coalesce(quality, -1) DESC, face_id",
                (spec.sha256,),
            )
        ]
        faces = gallery.find_faces(ids)
    jobs: dict[str, list[EnrolledFace]] = {}
    for face_id in ids:
        face = faces[face_id]
        # A ready crop and a photo of the same content are embedded differently.
        jobs.setdefault(f"{face.photo_sha256} {face.landmarks_xy is None}", []).append(face)
    return [Job(group[0].photo, group[0].photo_sha256, tuple(group)) for group in jobs.values()]


def embed_job(job: Job, embedder: FaceEmbedder) -> Redone:
    """Embed the faces of a photo if it is there with the content that was enrolled."""
    try:
        rows = embed_again(Path(job.photo), job.sha256, _detections(job.faces), embedder)
    except ImageError as error:
        return Redone(job, None, error.reason)
    if rows is None:
        return Redone(job, None, "the file has changed since it was enrolled")
    return Redone(job, np.repeat(rows, len(job.faces), 0) if len(rows) < len(job.faces) else rows)


def embed_again(
    photo: Path, sha256: str, faces: Detections | None, embedder: FaceEmbedder
) -> NDArray[np.float32] | None:
    """Embeddings of faces that were found in a photo before; None where its content is another one now.

    Args:
        photo: the file.
        sha256: of the content in which the faces were found.
        faces: N of them, in pixels of the whole upright picture; None where the photo is one ready crop.
        embedder: embeds them.

    Returns:
        float32 unit rows, shape (N, D); one row for a crop.

    Raises:
        ImageError: the photo cannot be read.
    """
    content = read_bytes(photo)
    if hashlib.sha256(content).hexdigest() != sha256:
        return None
    return embed_known_faces(content, photo, faces, embedder)


def find_moved(
    jobs: list[Job],
    folder: Path,
    *,
    workers: int | None = None,
    on_look: Callable[[int, int], None] | None = None,
) -> list[Job]:
    """The same jobs with the photo where its content lies below ``folder`` now, if it does.

    Raises:
        DataError: no such folder.
    """
    wanted, found = {job.sha256 for job in jobs}, {}
    paths = list_photos(folder).photos
    for done, (path, digest) in enumerate(
        zip(paths, in_order(content_hash, paths, workers=workers), strict=True), 1
    ):
        if digest in wanted:
            found[digest] = str(path.absolute())
        if on_look:
            on_look(done, len(paths))
        if len(found) == len(wanted):
            break
    return [dataclasses.replace(job, photo=found.get(job.sha256, job.photo)) for job in jobs]


def keep(gallery: Gallery, redone: Redone, spec: ModelSpec) -> int:
    """Keep the new templates of the faces that are still enrolled, and where their photo lies; returns how many."""
    assert redone.rows is not None
    job = redone.job
    with gallery.database.transaction() as connection:
        there = gallery.find_faces([face.face_id for face in job.faces])
        chosen = [i for i, face in enumerate(job.faces) if face.face_id in there]
        faces = [job.faces[i] for i in chosen]
        ids = np.array([face.face_id for face in faces], np.int64)
        quality = np.array([np.nan if f.quality is None else f.quality for f in faces], np.float32)
        gallery.templates.add(ids, redone.rows[chosen], spec, quality=quality)
        connection.executemany(
            "UPDATE faces SET photo = ? WHERE face_id = ? AND photo != ?",
            [
                (path_in(job.photo), face.face_id, path_in(job.photo))
                for face in faces
                if face.photo != job.photo
            ],
        )
    return len(chosen)


def _detections(faces: tuple[EnrolledFace, ...]) -> Detections | None:
    """Where the faces are in the photo; None for a ready crop."""
    if faces[0].landmarks_xy is None:
        return None
    boxes = np.array([face.box_xyxy for face in faces], np.float32)
    landmarks = np.stack([face.landmarks_xy for face in faces if face.landmarks_xy is not None])
    return Detections(boxes, landmarks, np.zeros(len(faces), np.float32))
