"""Prototypes: the mean of a subject's templates, one for each model that some of them are of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from facespace.models import FarCurve
from facespace.store.candidates import IndexState
from facespace.store.nearest import ByteRows, row_lengths
from facespace.store.search import Pair

__all__ = ["Census", "Prototypes", "work_out"]

ROWS_AT_ONCE = 2**16


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

        An unknown person comes near a mean of several templates about up to twice as often as near one template,
        however many they are (`facespace measure identification`): it counts for two.
        """
        return int(np.minimum(self.n_templates, 2).sum())


@dataclass(frozen=True)
class Census:
    """Of all the prototypes that probes of a model are compared with, also where only some are worked out.

    Attributes:
        n_subjects: that have any.
        n_comparisons: single comparisons that a search among them is worth; see `Prototypes`.
        indexes: of templates, by the model's label, that named the subjects whose prototypes were worked out; empty
            where all were.
    """

    n_subjects: int
    n_comparisons: int
    indexes: dict[str, IndexState] = field(default_factory=dict)

    @classmethod
    def of(cls, sets: Sequence[Prototypes]) -> "Census":
        """Of sets that are all there are."""
        if len(sets) == 1:  # a subject has one prototype in a set at most
            return cls(len(sets[0].subject_id), sets[0].n_comparisons)
        subjects = [np.zeros(0, np.int64), *(one.subject_id for one in sets)]
        return cls(len(np.unique(np.concatenate(subjects))), sum(one.n_comparisons for one in sets))


def work_out(
    pairs: Sequence[Pair],
    faces: NDArray[np.int64],
    subjects: NDArray[np.int64],
    rows_of: Sequence[ByteRows],
) -> Iterator[Prototypes]:
    """The prototypes of each pair of models that has any; a face takes part with its template of the first one.

    Args:
        pairs: the probes' model with each that its templates may be of, the first ones first.
        faces: int64, shape (N,), increasing.
        subjects: int64, shape (N,), of each.
        rows_of: the templates of each pair's stored model, all of these faces.
    """
    free = np.ones(len(faces), bool)
    for pair, rows in zip(pairs, rows_of, strict=True):
        at = np.searchsorted(faces, rows.face_id)
        used = np.flatnonzero(free[at])
        free[at] = False
        if len(used):
            yield _means(pair.curve, subjects[at[used]], rows, used)


def _means(
    curve: FarCurve, subjects: NDArray[np.int64], rows: ByteRows, used: NDArray[np.intp]
) -> Prototypes:
    """Of the rows that are used; the subject of each is given."""
    numbers, place, counts = np.unique(subjects, return_inverse=True, return_counts=True)
    order, sums = np.argsort(place, kind="stable"), np.zeros((len(numbers), rows.codes.shape[1]))
    for start in range(0, len(order), ROWS_AT_ONCE):
        block = order[start : start + ROWS_AT_ONCE]
        places, firsts = np.unique(place[block], return_index=True)
        values = rows.vectors(used[block]).astype(np.float32)
        sums[places] += np.add.reduceat(values / row_lengths(values)[:, None], firsts, axis=0)
    means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return Prototypes(curve, numbers, means.astype(np.float32), counts)
