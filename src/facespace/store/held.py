"""The index that is held here: a large block of bytes, those that came later, and marks at those that are gone."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from facespace.store.candidates import CandidateIndex, Candidates, IndexState, Recall
from facespace.store.nearest import ByteRows
from facespace.store.templates import Templates

# Rows that came later are put to the others, which copies these, once they are more than this share of them.
TAIL_SHARE = 1 / 8


class Finder(Protocol):
    """Finds rows of a block of bytes that may be the nearest to a probe, faster than by comparing them all here."""

    @property
    def recall(self) -> Recall | None:
        """What it finds of the hits; None where it finds all for certain."""

    def rows(
        self, probes: NDArray[np.int8], k: int, among: NDArray[np.bool_] | None
    ) -> NDArray[np.int64] | None:
        """Rows for each probe, shape (P, K), -1 where there are fewer; None where comparing all is no slower.

        One that finds all for certain gives -1 in the whole of a row where it is not certain.
        """


@dataclass(frozen=True)
class HeldIndex(CandidateIndex):
    """All templates of a model, one byte a component; `add` and `remove` return the index that follows.

    Attributes:
        base: the rows that stood here first, in memory or in a file.
        gone: bool, shape of ``base``: those that have been removed; None for none.
        tail: the rows that came later; what is removed of them is not there any more.
        finder: of rows of ``base``; None to compare them all here.
        built: when the file of ``base`` was, ISO 8601, UTC; None where there is none.
    """

    base: ByteRows
    gone: NDArray[np.bool_] | None
    tail: ByteRows
    finder: Finder | None = None
    built: str | None = None
    # Which rows take part, by the indexes before; they are held so that no other one gets their id.
    _masks: dict[tuple[int, ...], tuple[Sequence[CandidateIndex], list[NDArray[np.bool_] | None]]] = field(
        default_factory=dict, compare=False, repr=False
    )

    @classmethod
    def empty(cls, dim: int) -> Self:
        """No templates, of so many components."""
        return cls(ByteRows.empty(dim), None, ByteRows.empty(dim))

    @property
    def state(self) -> IndexState:
        """See `CandidateIndex.state`."""
        recall = None if self.finder is None else self.finder.recall
        kind = "exact" if recall is None else "ivf"
        return IndexState(kind, len(self), len(self.tail) if self.built else 0, recall, self.built)

    @property
    def n_changed(self) -> int:
        """Rows that came or went since ``base`` was made."""
        return len(self.tail) + (0 if self.gone is None else int(self.gone.sum()))

    def __len__(self) -> int:
        n_gone = 0 if self.gone is None else int(self.gone.sum())
        return len(self.base) - n_gone + len(self.tail)

    def add(self, batches: Sequence[Templates]) -> Self:
        """The index that holds these templates too; their ids are later than all so far."""
        new = [ByteRows.of(one.template_id, one.face_id, one.vectors) for one in batches]
        return replace(self, tail=ByteRows.joined([self.tail, *new]), _masks={})._settled()

    def remove(self, template_id: NDArray[np.int64]) -> Self:
        """The index without these templates; ids that it does not hold are passed over."""
        tail = self.tail[~np.isin(self.tail.template_id, template_id)] if len(self.tail) else self.tail
        gone = self.gone
        if len(self.base):
            place = np.searchsorted(self.base.template_id, template_id)
            place = place[place < len(self.base)]
            here = place[np.isin(self.base.template_id[place], template_id)]
            if len(here):
                gone = np.zeros(len(self.base), bool) if gone is None else gone.copy()
                gone[here] = True
        return replace(self, gone=gone, tail=tail, _masks={})

    def build(self) -> Self:
        """The same with all templates in one block."""
        base = self.base if self.gone is None else self.base[~self.gone]
        return type(self)(ByteRows.joined([base, self.tail]), None, ByteRows.empty(base.codes.shape[1]))

    def search(
        self, probes: NDArray[np.int8], k: int, *, before: Sequence[CandidateIndex] = ()
    ) -> Candidates:
        """See `CandidateIndex.search`."""
        among_base, among_tail = self._among(before)
        base = _candidates(self.base, self._base_rows(probes, k, among_base))
        tail = _candidates(self.tail, self.tail.nearest(probes, k, among=among_tail)[0])
        return Candidates(
            np.concatenate([base[0], tail[0]], axis=1), np.concatenate([base[1], tail[1]], axis=1)
        )

    def _base_rows(
        self, probes: NDArray[np.int8], k: int, among: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """What the finder finds; where it finds too few, by comparing all."""
        found = None if self.finder is None else self.finder.rows(probes, k, among)
        if found is None:
            return self.base.nearest(probes, k, among=among)[0]
        few = (found >= 0).sum(axis=1) < k
        if few.any():
            exact, _ = self.base.nearest(probes[few], k, among=among)
            found = np.pad(found, ((0, 0), (0, max(0, exact.shape[1] - found.shape[1]))), constant_values=-1)
            found[few] = -1
            found[few, : exact.shape[1]] = exact
        return found

    def holds(self, face_id: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See `CandidateIndex.holds`."""
        base = self.base.face_id if self.gone is None else self.base.face_id[~self.gone]
        return np.asarray(np.isin(face_id, base) | np.isin(face_id, self.tail.face_id))

    def has(self, templates: Templates) -> NDArray[np.bool_]:
        """Which of these templates are held here with the same face and the same bytes."""
        same = np.zeros(len(templates), bool)
        for rows in (self.base, self.tail):
            if len(rows):
                place = np.minimum(np.searchsorted(rows.template_id, templates.template_id), len(rows) - 1)
                here = (rows.template_id[place] == templates.template_id) & (
                    rows.face_id[place] == templates.face_id
                )
                same |= here & (rows.vectors(place) == templates.vectors).all(axis=1)
        return same

    def rows(self) -> ByteRows:
        """All of them, in one block."""
        return self.build().base

    def _among(self, before: Sequence[CandidateIndex]) -> list[NDArray[np.bool_] | None]:
        """Which rows of the two blocks take part; None for all."""
        if not before:
            return [None if self.gone is None else ~self.gone, None]
        key = tuple(map(id, before))
        if key not in self._masks:
            masks: list[NDArray[np.bool_] | None] = []
            for rows, gone in ((self.base, self.gone), (self.tail, None)):
                mask = np.ones(len(rows), bool) if gone is None else ~gone
                for other in before:
                    mask &= ~other.holds(rows.face_id)
                masks.append(mask)
            self._masks.clear()
            self._masks[key] = tuple(before), masks
        return self._masks[key][1]

    def _settled(self) -> Self:
        """With the tail put to the others where it has grown, unless these lie in a file."""
        return self.build() if not self.built and len(self.tail) > TAIL_SHARE * len(self.base) else self


def _candidates(rows: ByteRows, found: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """The faces and vectors of some rows; -1 and zeros where there is none."""
    there = found >= 0
    face_id, vectors = rows.face_id[found], rows.vectors(found)
    face_id[~there], vectors[~there] = -1, 0
    return face_id, vectors
