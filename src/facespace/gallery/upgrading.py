"""Move a gallery to a newer model that may meet its old one: at once, face by face, and back."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facespace.errors import GalleryError, IncompatibleModelsError
from facespace.extract import FaceEmbedder, in_order
from facespace.gallery.gallery import Gallery
from facespace.gallery.reembed import Job, Redone, embed_job, find_moved, keep, plan_jobs
from facespace.gallery.uses import DROP, USE, Entry, history, model_in_use, note_drop, use_model
from facespace.images import Unreadable
from facespace.models import ModelSpec, far_curve

__all__ = ["Progress", "Upgrade", "drop_old", "progress_of", "step_back", "upgrade"]


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
        before: the model before this run; the same where an upgrade was gone on with.
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
    gallery: Gallery,
    embedder: FaceEmbedder,
    *,
    model_file: str | Path | None = None,
    at_once: bool = False,
    photos: Path | None = None,
    workers: int | None = None,
    on_face: Callable[[Progress], None] | None = None,
    on_look: Callable[[int, int], None] | None = None,
) -> Upgrade:
    """Make the embedder's model the gallery's, and give the faces whose photos are at hand templates of it.

    From the first moment probes of the new model are compared with the old templates, at the distances of mixed
    comparison. Then photo by photo, each a transaction of its own, so that the gallery is searched and enrolled to all
    the while and a run that is killed is gone on with by the same call. The order: first a template for each
    subject, of the face of the best quality, then a second, and so on, since a subject is found by any good one.

    Args:
        gallery: an open gallery.
        embedder: of the new model, or of the gallery's to go on.
        model_file: the model's name or file, for later commands.
        at_once: embed nothing again.
        photos: folder in which photos that are not at their place any more are looked for by their content.
        workers: threads; all cores when absent.
        on_face: follows along.
        on_look: called with (files looked at, in all) while photos are looked for.

    Raises:
        IncompatibleModelsError: faces of the gallery have only templates that the new model may not meet.
        ModelError: the new model, or its mixed comparison, is not calibrated.
        GalleryError: nobody is enrolled yet, or the file cannot be written.
    """
    before, spec = _current(gallery), embedder.spec
    _check_meets(gallery, spec)
    use_model(gallery, spec, model_file)
    start, n_embedded, missing = progress_of(gallery), 0, []
    for redone in [] if at_once else _redo(gallery, embedder, photos, workers, on_look):
        if redone.reason:
            missing.append(Unreadable(Path(redone.job.photo), redone.reason))
            continue
        n_embedded += keep(gallery, redone, spec)
        if on_face:
            on_face(start.after(n_embedded))
    return Upgrade(spec.label, before.label, progress_of(gallery), n_embedded, tuple(missing))


def progress_of(gallery: Gallery) -> Progress:
    """How many faces have a template of the gallery's model, and what that is worth.

    The model's spec may hold `options["tar"]`, of comparing its own embeddings, and `options["tar_mixed"]`, by the
    sha256 of an older model, of mixed comparison, both at `options["far"]`.

    Raises:
        GalleryError: nobody is enrolled yet.
    """
    with gallery.database.snapshot() as connection:
        spec = _current(gallery)
        (n_faces,) = connection.execute("SELECT count(*) FROM faces").fetchone()
        count = gallery.templates.count()
    others = [sha256 for sha256 in count if sha256 != spec.sha256]
    old = spec.options.get("tar_mixed", {}).get(others[0]) if len(others) == 1 else None
    new, far = spec.options.get("tar"), spec.options.get("far")
    return Progress(n_faces, count.get(spec.sha256, 0), old, new, far)


def step_back(gallery: Gallery) -> Entry:
    """Make the model before the gallery's the gallery's again; templates of both stay.

    Returns:
        the line of the history at which that model came.

    Raises:
        GalleryError: there is no earlier model, or its templates were dropped.
        IncompatibleModelsError: faces have only templates that the earlier model may not meet.
    """
    entries = history(gallery)
    now = _current(gallery)
    uses = [entry for entry in entries if entry.action == USE]
    first = next(i for i, entry in enumerate(uses) if entry.spec.sha256 == now.sha256)
    if first == 0:
        raise GalleryError(
            f"{gallery.database.path}: expected an earlier model to go back to, {now.label} is its first"
        )
    earlier = uses[first - 1]
    dropped = [e for e in entries if e.action == DROP and e.spec.sha256 == earlier.spec.sha256]
    if dropped:
        raise GalleryError(
            f"{gallery.database.path}: cannot go back to {earlier.spec.label}: its templates were dropped on "
            f"{dropped[-1].moment}"
        )
    _check_meets(gallery, earlier.spec)
    use_model(gallery, earlier.spec, earlier.file)
    return earlier


def drop_old(gallery: Gallery) -> dict[str, int]:
    """Drop the templates of other models of all faces that have one of the gallery's; there is no way back.

    Faces that have only old templates keep them, and are found by them as before.

    Returns:
        how many templates of each model, by its label.

    Raises:
        GalleryError: nobody is enrolled yet, or the file cannot be written.
    """
    now = _current(gallery)
    dropped = {}
    with gallery.database.transaction() as connection:
        for spec in gallery.templates.models():
            if spec.sha256 == now.sha256:
                continue
            n = connection.execute(
                "DELETE FROM templates WHERE model_id = (SELECT model_id FROM models WHERE sha256 = ?) AND face_id IN"
                " (SELECT face_id FROM templates JOIN models USING (model_id) WHERE sha256 = ?)",
                (spec.sha256, now.sha256),
            ).rowcount
            if n:
                note_drop(gallery, spec, n)
                dropped[spec.label] = n
    gallery.database.checkpoint()
    return dropped


def _current(gallery: Gallery) -> ModelSpec:
    now = model_in_use(gallery)
    if now is None:
        raise GalleryError(
            f"{gallery.database.path}: expected a gallery with a model, nobody is enrolled yet"
        )
    return now.spec


def _check_meets(gallery: Gallery, spec: ModelSpec) -> None:
    """Every face must have a template that probes of the model may be compared with."""
    far_curve(spec, spec)
    try:
        able = gallery.templates.comparable(spec)
    except IncompatibleModelsError:
        able = ()
    marks = ", ".join("?" * len(able))
    with gallery.database.snapshot() as connection:
        rows = connection.execute(
            "SELECT label, count(*) FROM templates JOIN models USING (model_id) WHERE face_id NOT IN (SELECT face_id"
            f" FROM templates JOIN models USING (model_id) WHERE sha256 IN ({marks})) GROUP BY label",
            [one.sha256 for one in able],
        ).fetchall()
    if rows:
        lost = ", ".join(f"{n} faces of {label}" for label, n in rows)
        raise IncompatibleModelsError(
            f"{spec.label} may not meet {lost}: neither declares compatibility; train it to: facespace harmonise --old "
            "OLD.onnx --init RUN, or enrol the photos in a new gallery"
        )


def _redo(
    gallery: Gallery,
    embedder: FaceEmbedder,
    photos: Path | None,
    workers: int | None,
    on_look: Callable[[int, int], None] | None,
) -> Iterator[Redone]:
    """Faces embedded again: first those whose photos are at their place, then those that are found elsewhere."""
    jobs, missing = plan_jobs(gallery, embedder.spec), []
    for redone in in_order(lambda job: embed_job(job, embedder), jobs, workers=workers):
        if redone.reason and photos is not None:
            missing.append(redone.job)
        else:
            yield redone
    if not missing or photos is None:
        return
    moved: list[Job] = find_moved(missing, photos, workers=workers, on_look=on_look)
    yield from in_order(lambda job: embed_job(job, embedder), moved, workers=workers)
