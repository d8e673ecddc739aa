"""Prototypes: the mean of a subject's templates, one for each model that some of them are of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.embed import dequantise
from facespace.models import FarCurve, ModelSpec, far_curve
from facespace.store.template_store import TemplateStore

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
        many they are (`facespace measure identification`): it counts for two.
        """
        return int(np.minimum(self.n_templates, 2).sum())


def read_prototypes(
    store: TemplateStore, spec: ModelSpec, face_id: NDArray[np.int64], subject_id: NDArray[np.int64]
) -> list[Prototypes]:
    """The prototypes that probes of ``spec``'s model are compared with; call it inside a snapshot of the file.

    Each face takes part with one template: of the probes' model, else of the newest that may meet it. A subject with
    some faces of one model and some of another has a prototype of either, since the two have their own thresholds.

    Args:
        store: of the templates.
        spec: of the probes' embedder.
        face_id: int64, shape (N,), increasing, of the faces that take part.
        subject_id: int64, shape (N,), whose face each is.

    Raises:
        IncompatibleModelsError: there are templates, all of models that may not meet the probes'.
        ModelError: a pair of models is not calibrated.
    """
    free = np.ones(len(face_id), bool)
    found = []
    for stored in store.comparable(spec):
        other = spec if stored.sha256 == spec.sha256 else stored
        found.append(_of_model(store, other, face_id, subject_id, free, far_curve(spec, other)))
    return [prototypes for prototypes in found if len(prototypes.subject_id)]


def _of_model(
    store: TemplateStore,
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
    for batch in store.batches(model=stored.sha256):
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
