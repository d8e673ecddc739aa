"""The engine that moves a file to another model: its faces are embedded again from their photos, where these are.

No photo is searched for faces: the boxes and landmarks are known. Each photo is a transaction of its own, so that a run
that is stopped or killed loses at most the photos in flight and the next one resumes; others read and write the
file all the while. Old templates stay until `drop_old`.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from facespace.errors import ImageError, IncompatibleModelsError, MissingExtraError
from facespace.extract import (
    FaceEmbedder,
    content_hash,
    embed_known_faces,
    embed_known_frames,
    file_hash,
    in_order,
)
from facespace.faces.detections import Detections
from facespace.images import Unreadable, list_photos, read_bytes
from facespace.models import ModelSpec, far_curve
from facespace.store.template_store import TemplateStore


@dataclass(frozen=True)
class Job:
    """The faces of one photo that wait for a template of the new model.

    Attributes:
        photo: where it is looked for.
        sha256: of the content in which the faces were found.
        face_id: int64, shape (N,).
        faces: N of them, in pixels of the whole upright picture; None where the photo is one ready crop.
        quality: float32, shape (N,); nan where it is not known.
        name: of the photo, for messages.
        times_s: of the faces in a video, N of them; None for photos.
    """

    photo: Path
    sha256: str
    face_id: NDArray[np.int64]
    faces: Detections | None
    quality: NDArray[np.float32]
    name: Path
    times_s: tuple[float, ...] | None = None


class Movable(Protocol):
    """A file whose faces have templates, and are found in photos."""

    @property
    def templates(self) -> TemplateStore:
        """The store of the faces' templates."""

    def waiting(self, spec: ModelSpec) -> Sequence[Job]:
        """The faces that lack a template of that model, by photo, the most important first."""

    def still_there(self, job: Job) -> NDArray[np.bool_]:
        """Which of its faces are still there, shape (N,); called in the transaction in which templates are kept."""

    def is_changed(self, job: Job) -> str:
        """Its photo has another content now; returns why its faces are left out, empty if that needs no telling."""


@dataclass(frozen=True)
class Moved:
    """What a run of the engine did.

    Attributes:
        n_embedded: faces that were embedded again.
        not_at_hand: photos whose faces keep their old template for now, and why.
        is_stopped: whether it was stopped before the end.
    """

    n_embedded: int
    not_at_hand: tuple[Unreadable, ...]
    is_stopped: bool


def embed_waiting(
    file: Movable,
    embedder: FaceEmbedder,
    *,
    look_in: Path | None = None,
    workers: int | None = None,
    on_face: Callable[[int], None] | None = None,
    on_look: Callable[[int, int], None] | None = None,
    stop: Event | None = None,
) -> Moved:
    """Give the faces that lack one a template of the embedder's model.

    Args:
        file: a library or a gallery.
        embedder: of the new model; must have a byte form.
        look_in: folder in which photos that are not at their place any more are looked for by their content.
        workers: threads; all cores when absent.
        on_face: called with the number of faces done by this run.
        on_look: called with (files looked at, in all) while photos are looked for.
        stop: once it is set, no further photo is begun.

    Raises:
        ModelError: the model has no byte form.
        FacespaceError: of the file's kind: it cannot be written.
    """
    n_embedded, missing = 0, []
    for job, rows in _embedded(file, embedder, look_in, workers, on_look):
        if isinstance(rows, np.ndarray):
            n_embedded += _keep(file, job, rows, embedder.spec)
            if on_face:
                on_face(n_embedded)
        elif rows or (rows := file.is_changed(job)):
            missing.append(Unreadable(job.name, rows))
        if stop is not None and stop.is_set():
            return Moved(n_embedded, tuple(missing), True)
    return Moved(n_embedded, tuple(missing), False)


# The rows of a job's faces; or why there are none, empty where the photo's content is another one now.
Outcome = NDArray[np.float32] | str


def _embedded(
    file: Movable,
    embedder: FaceEmbedder,
    look_in: Path | None,
    workers: int | None,
    on_look: Callable[[int, int], None] | None,
) -> Iterator[tuple[Job, Outcome]]:
    """First the faces whose photos are at their place, then those whose photos are found elsewhere."""
    jobs, missing = file.waiting(embedder.spec), []
    for job, rows in in_order(lambda job: (job, _embed(job, embedder)), jobs, workers=workers):
        if isinstance(rows, str) and look_in is not None:
            missing.append(job)
        else:
            yield job, rows
    if missing and look_in is not None:
        moved = _find_moved(missing, look_in, workers, on_look)
        yield from in_order(lambda job: (job, _embed(job, embedder)), moved, workers=workers)


def _embed(job: Job, embedder: FaceEmbedder) -> Outcome:
    try:
        if job.times_s is not None and job.faces is not None:
            same = file_hash(job.photo) == job.sha256
            return embed_known_frames(job.photo, job.times_s, job.faces, embedder) if same else ""
        content = read_bytes(job.photo)
        if hashlib.sha256(content).hexdigest() != job.sha256:
            return ""
        rows = embed_known_faces(content, job.photo, job.faces, embedder)
    except ImageError as error:
        return error.reason
    except MissingExtraError as error:
        return str(error)
    # Several faces of one ready crop are the same picture.
    return np.repeat(rows, len(job.face_id), 0) if len(rows) < len(job.face_id) else rows


def _find_moved(
    jobs: list[Job], folder: Path, workers: int | None, on_look: Callable[[int, int], None] | None
) -> list[Job]:
    """The same jobs with the photo where its content lies below ``folder`` now, if it does."""
    wanted, found = {job.sha256 for job in jobs}, dict[str, Path]()
    paths = list_photos(folder).photos
    for done, (path, digest) in enumerate(
        zip(paths, in_order(content_hash, paths, workers=workers), strict=True), 1
    ):
        if digest in wanted:
            found[digest] = path.absolute()
        if on_look:
            on_look(done, len(paths))
        if len(found) == len(wanted):
            break
    return [dataclasses.replace(job, photo=found.get(job.sha256, job.photo)) for job in jobs]


def _keep(file: Movable, job: Job, rows: NDArray[np.float32], spec: ModelSpec) -> int:
    with file.templates.transaction():
        kept = file.still_there(job)
        file.templates.add(job.face_id[kept], rows[kept], spec, quality=job.quality[kept])
    return int(kept.sum())


def progress(templates: TemplateStore, spec: ModelSpec) -> tuple[int, int]:
    """How many faces have a template of the model, and how many of any."""
    with templates.snapshot():
        return templates.count().get(spec.sha256, 0), len(templates.faces())


def check_meets(templates: TemplateStore, spec: ModelSpec) -> None:
    """Every face must have a template that probes of the model may be compared with.

    Raises:
        IncompatibleModelsError: some have none.
        ModelError: the model, or a pair, is not calibrated.
    """
    far_curve(spec, spec)
    with templates.snapshot():
        try:
            able = {pair.stored.sha256 for pair in templates.comparable(spec)}
        except IncompatibleModelsError:
            able = set()
        met = [templates.faces(sha256) for sha256 in able]
        found = np.concatenate(met) if met else np.zeros(0, np.int64)
        rest = [model for model in templates.models(in_use=True) if model.sha256 not in able]
        lost = {model.label: int((~np.isin(templates.faces(model.sha256), found)).sum()) for model in rest}
    if any(lost.values()):
        raise IncompatibleModelsError(
            f"{spec.label} may not meet {', '.join(f'{n} faces of {label}' for label, n in lost.items() if n)}: "
            "neither declares compatibility; train it to: facespace harmonise --old OLD.onnx --init RUN, or enrol the "
            "photos in a new gallery"
        )


def drop_old(templates: TemplateStore, spec: ModelSpec) -> dict[str, int]:
    """Drop the templates of other models of all faces that have one of this; there is no way back.

    Faces that have only old templates keep them. Call it inside a transaction of the file.

    Returns:
        how many templates of each model, by its sha256; models without any are left out.
    """
    done, dropped = templates.faces(spec.sha256), {}
    for other in templates.models(in_use=True):
        if other.sha256 != spec.sha256:
            dropped[other.sha256] = templates.remove(done, model=other.sha256)
    return {sha256: n for sha256, n in dropped.items() if n}
