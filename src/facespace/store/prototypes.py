"""Prototypes: the mean of a subject's templates, one for each model that some of them are of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.embed import quantise
from facespace.models import FarCurve
from facespace.store.candidates import IndexState
from facespace.store.nearest import ByteRows, row_lengths
from facespace.store.scan import index_over, one_thread
from facespace.store.search import Pair
from facespace.store.template_store import TemplateStore

ROWS_AT_ONCE = 2**16
# A block of products: of few probes with more prototypes at a time, since each is read once for all of a block.
PROBES_AT_ONCE, PRODUCTS_AT_ONCE = 1024, 2**22
# For more probes a matrix product with all rows is faster.
MOST_PROBES = 8
N_FETCHED = 64
ROUNDING = 1e-5  # of products in float32


class PrototypeScan:
    """Finds the nearest prototypes for certain by their bytes, of which there are a quarter as many.

    How far a probe and a row are from their bytes bounds how much their cosine and that of the bytes differ. Where the
    best row of those fetched is nearer than this beyond the last one fetched, none that was left out is nearer.

    Args:
        codes: uint8, shape (M, D): of each row its components times ``scale``, and 128. Not copied.
        scale: of them.
        error: the largest distance of a row to its bytes.
        faiss: the module.
    """

    def __init__(self, codes: NDArray[np.uint8], scale: float, error: float, faiss: Any) -> None:
        self._codes, self._scale, self._error, self._faiss = codes, scale, error, faiss
        self._index = index_over(codes, faiss)

    def nearest(
        self, probes: NDArray[np.float32], rows: NDArray[np.float32], gone: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """The nearest row of each of P probes, shape (P,); -1 where that is not certain."""
        if len(probes) > MOST_PROBES or len(rows) <= N_FETCHED:
            return np.full(len(probes), -1)
        scale = 127 / max(float(np.abs(probes).max()), 1e-6)
        whole = quantise(probes, scale).astype(np.float32)  # faiss takes bytes
        with one_thread(self._faiss):
            products, found = self._index.search(whole, N_FETCHED)
        found = np.sort(found, axis=1)  # of equal ones the first
        cosine = np.einsum("pd,pkd->pk", probes, rows[found])
        if gone is not None:
            cosine[gone[found]] = -np.inf
        best, at = cosine.max(1), cosine.argmax(1)
        error = self._error * np.linalg.norm(whole, axis=1) / scale
        error += np.linalg.norm(probes - whole / scale, axis=1)
        beyond = products[:, -1] / (scale * self._scale) + error
        place = np.take_along_axis(found, at[:, None], axis=1)[:, 0]
        return np.where(best > beyond + ROUNDING, place, -1)


@dataclass(frozen=True)
class Prototypes:
    """The prototypes of M subjects whose faces take part with templates of one model.

    Attributes:
        curve: of comparing them with the probes' embeddings.
        subject_id: int64, shape (M,), increasing.
        rows: float32 unit rows, shape (M, D), in memory or in a file that is mapped into it.
        n_templates: int64, shape (M,), behind each.
        gone: bool, shape (M,): those that others have taken the place of; None for none.
        scan: finds the nearest faster than by comparing all; None where there is none.
    """

    curve: FarCurve
    subject_id: NDArray[np.int64]
    rows: NDArray[np.float32]
    n_templates: NDArray[np.int64]
    gone: NDArray[np.bool_] | None = None
    scan: PrototypeScan | None = None

    def __len__(self) -> int:
        return len(self.subject_id) - (0 if self.gone is None else int(self.gone.sum()))

    @property
    def subjects(self) -> NDArray[np.int64]:
        """The ids of those that are not gone."""
        return self.subject_id if self.gone is None else self.subject_id[~self.gone]

    @property
    def n_comparisons(self) -> int:
        """How many single comparisons a search among them is worth.

        An unknown person comes near a mean of several templates about up to twice as often as near one template,
        however many they are (`facespace measure identification`): it counts for two.
        """
        n_templates = self.n_templates if self.gone is None else self.n_templates[~self.gone]
        return int(np.minimum(n_templates, 2).sum())

    def without(self, subject_id: NDArray[np.int64]) -> "Prototypes":
        """Those of some subjects count as gone."""
        if not len(subject_id):
            return self
        gone = np.isin(self.subject_id, subject_id)
        return replace(self, gone=gone if self.gone is None else gone | self.gone)

    def joined(self, other: "Prototypes") -> "Prototypes":
        """These and others in one block of memory, without those that are gone."""
        parts = [one if one.gone is None else one._kept(~one.gone) for one in (self, other)]
        subject_id = np.concatenate([one.subject_id for one in parts])
        rows, counts = (
            np.concatenate([getattr(one, name) for one in parts]) for name in ("rows", "n_templates")
        )
        order = np.argsort(subject_id, kind="stable")
        return Prototypes(self.curve, subject_id[order], rows[order], counts[order])

    def nearest(self, probes: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The nearest of each of P probes: rows and squared distances, shape (P,); of equal ones the first.

        Args:
            probes: float32 unit rows, shape (P, D).
        """
        place = (
            np.full(len(probes), -1) if self.scan is None else self.scan.nearest(probes, self.rows, self.gone)
        )
        left = np.flatnonzero(place < 0)
        for first in range(0, len(left), PROBES_AT_ONCE):
            part = left[first : first + PROBES_AT_ONCE]
            place[part] = self._by_comparing_all(probes[part])
        # In one order of sums wherever the rows lie, so that a distance is the same by either way.
        cosine = (probes.astype(np.float64) * self.rows[place]).sum(axis=1)
        return place, np.clip(2.0 - 2.0 * cosine, 0.0, 4.0)

    def _by_comparing_all(self, probes: NDArray[np.float32]) -> NDArray[np.int64]:
        place, best = np.zeros(len(probes), np.int64), np.full(len(probes), -np.inf, np.float32)
        at_once = PRODUCTS_AT_ONCE // len(probes)
        for start in range(0, len(self.rows), at_once):
            cosines = probes @ self.rows[start : start + at_once].T
            if self.gone is not None:
                cosines[:, self.gone[start : start + at_once]] = -np.inf
            nearest = cosines.argmax(1)
            cosine = np.take_along_axis(cosines, nearest[:, None], axis=1)[:, 0]
            place = np.where(cosine > best, start + nearest, place)
            best = np.maximum(best, cosine)
        return place

    def _kept(self, which: NDArray[np.bool_]) -> "Prototypes":
        return Prototypes(self.curve, self.subject_id[which], self.rows[which], self.n_templates[which])


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
            return cls(len(sets[0]), sets[0].n_comparisons)
        subjects = [np.zeros(0, np.int64), *(one.subjects for one in sets)]
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


def of_faces(
    store: TemplateStore, pairs: Sequence[Pair], faces: NDArray[np.int64], subjects: NDArray[np.int64]
) -> Iterator[Prototypes]:
    """Likewise by the templates of these faces alone, as a store has them."""
    rows = []
    for pair in pairs:
        found = store.of_some(pair.stored, faces)
        none = ByteRows.empty(pair.stored.dim)
        rows.append(none if found is None else ByteRows.of(found.template_id, found.face_id, found.vectors))
    return work_out(pairs, faces, subjects, rows)


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


def bytes_of(rows: NDArray[np.float32]) -> tuple[NDArray[np.uint8], float, float]:
    """One byte a component of rows (M, D): the codes that `PrototypeScan` takes, their scale and error."""
    scale = 127 / max(float(np.abs(rows).max(initial=0.0)), 1e-6)
    codes, error = np.empty(rows.shape, np.uint8), 0.0
    for start in range(0, len(rows), ROWS_AT_ONCE):
        block = rows[start : start + ROWS_AT_ONCE]
        whole = quantise(block, scale)
        error = max(error, float(np.linalg.norm(block - whole.astype(np.float32) / scale, axis=1).max()))
        codes[start : start + ROWS_AT_ONCE] = whole.view(np.uint8) ^ np.uint8(128)
    return codes, scale, error
