"""The index that compares every template: a large block, those that came later, and marks at those that are gone."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from facespace.store.candidates import CandidateIndex, Candidates, IndexState
from facespace.store.nearest import ByteRows
from facespace.store.templates import Templates

__all__ = ["ExactIndex"]

# Rows that came later are put to the others, which copies these, once they are more than this share of them.
TAIL_SHARE = 1 / 8


@dataclass(frozen=True)
class ExactIndex(CandidateIndex):
    """All templates of a model, one byte a component.

    Attributes:
        base: the rows that stood here first.
        gone: bool, shape of ``base``: those that have been removed; None for none.
        tail: the rows that came later; what is removed of them is not there any more.
    """

    base: ByteRows
    gone: NDArray[np.bool_] | None
    tail: ByteRows
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
        return IndexState("exact", len(self))

    def __len__(self) -> int:
        n_gone = 0 if self.gone is None else int(self.gone.sum())
        return len(self.base) - n_gone + len(self.tail)

    def add(self, templates: Templates) -> Self:
        """See `CandidateIndex.add`."""
        new = ByteRows.of(templates.template_id, templates.face_id, templates.vectors)
        return replace(self, tail=ByteRows.joined([self.tail, new]), _masks={})._settled()

    def remove(self, template_id: NDArray[np.int64]) -> Self:
        """See `CandidateIndex.remove`."""
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
        """See `CandidateIndex.build`: all in one block."""
        base = self.base if self.gone is None else self.base[~self.gone]
        return replace(
            self, base=ByteRows.joined([base, self.tail]), gone=None,
            tail=ByteRows.empty(base.codes.shape[1]), _masks={},
        )  # fmt: skip

    def search(
        self, probes: NDArray[np.int8], k: int, *, before: Sequence[CandidateIndex] = ()
    ) -> Candidates:
        """See `CandidateIndex.search`."""
        parts = [Candidates.none(len(probes), probes.shape[1])]
        for rows, among in zip((self.base, self.tail), self._among(before), strict=True):
            if len(rows):
                found, _ = rows.nearest(probes, k, among=among)
                parts.append(Candidates(rows.face_id[found], rows.vectors(found)))
        return Candidates.joined(parts)

    def holds(self, face_id: NDArray[np.int64]) -> NDArray[np.bool_]:
        """See `CandidateIndex.holds`."""
        base = self.base.face_id if self.gone is None else self.base.face_id[~self.gone]
        return np.asarray(np.isin(face_id, base) | np.isin(face_id, self.tail.face_id))

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
        return self.build() if len(self.tail) > TAIL_SHARE * len(self.base) else self
