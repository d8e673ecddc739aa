"""Prototypes: the mean of a subject's templates, one for each model that some of them are of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.embed import dequantise
from facespace.gallery.gallery import Gallery
from facespace.models import FarCurve, ModelSpec, far_curve

__all__ = ["Prototypes", "read_prototypes"]


@dataclass(frozen=True)
class Prototypes:
    """The prototypes of M subjects whose faces take part with templates of one model.

    Attributes:
        curve: of comparing them with the probes' embeddings.
        subject_id: int64, shape (M,), increasing.
        rows: float32 unit rows, shape (M, D).
        n_templates: int64, shape (M,), behind each.
    """

    curve: FarCurve
    subject_id: NDArray[np.int64]
    rows: NDArray[np.float32]
    n_templates: NDArray[np.int64]

    @property
    def n_comparisons(self) -> int:
        """How many single comparisons a search among them is worth.

        A stranger comes near a mean of several templates about up to twice as often as near one template, however
        many they are (`facespace evaluate identification`): it counts for two.
        """
        return int(np.minimum(self.n_templates, 2).sum())


def read_prototypes(gallery: Gallery, spec: ModelSpec) -> list[Prototypes]:
    """The prototypes that probes of ``spec``'s model are compared with, as the gallery stands at this moment.

    Each face takes part with one template: of the probes' model, else of the newest that may meet it. A subject with
    some faces of one model and some of another has a prototype of either, since the two have their own thresholds.

    Raises:
        IncompatibleModelsError: there are templates, all of models that may not meet the probes'.
        ModelError: a pair of models is not calibrated.
        GalleryError: the gallery cannot be read.
    """
    with gallery.database.snapshot() as connection:
        rows = connection.execute("SELECT face_id, subject_id FROM faces ORDER BY face_id").fetchall()
        faces, subjects = np.array(rows, np.int64).reshape(-1, 2).T
        free = np.ones(len(faces), bool)
        found = []
        for stored in gallery.templates.comparable(spec):
            other = spec if stored.sha256 == spec.sha256 else stored
            found.append(_of_model(gallery, other, faces, subjects, free, far_curve(spec, other)))
    return [prototypes for prototypes in found if len(prototypes.subject_id)]


def _of_model(
    gallery: Gallery,
    stored: ModelSpec,
    faces: NDArray[np.int64],
    subjects: NDArray[np.int64],
    free: NDArray[np.bool_],
    curve: FarCurve,
) -> Prototypes:
    """Means over the templates of one model whose faces are still ``free``; these are then taken."""
    numbers, place_of_face = np.unique(subjects, return_inverse=True)
    sums = np.zeros((len(numbers), stored.dim))
    counts = np.zeros(len(numbers), np.int64)
    for batch in gallery.templates.batches(model=stored.sha256):
        at = np.searchsorted(faces, batch.face_id)
        used = free[at]
        places = place_of_face[at[used]]
        np.add.at(sums, places, dequantise(batch.vectors[used]))
        np.add.at(counts, places, 1)
        free[at] = False
    some = counts > 0
    sums = sums[some]
    rows = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return Prototypes(curve, numbers[some], rows.astype(np.float32), counts[some])
