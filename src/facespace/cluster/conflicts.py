"""Groups that may never join, kept up to date while groups merge."""

import numpy as np
from numpy.typing import NDArray


class Conflicts:
    """Pairs of slots at infinite distance.

    Two kinds: listed pairs (two faces of one photo, "not this person"), and `fixed` slots (confirmed people), of
    which no two may join. A merged group inherits what both of its parts had, so that average, complete and Ward
    linkage stay reducible: a merged group is never nearer to a third than the nearer part was.

    Args:
        n: slots.
        pairs: int64, shape (E, 2), slots that may not join.
        fixed: bool, shape (n,), slots of which no two may join.
    """

    def __init__(self, n: int, pairs: NDArray[np.int64], fixed: NDArray[np.bool_] | None = None) -> None:
        self.n = n
        self.fixed = np.zeros(n, bool) if fixed is None else fixed.copy()
        self.any_fixed = bool(self.fixed.any())
        self._set(pairs[:, 0], pairs[:, 1])

    def __bool__(self) -> bool:
        return self.any_fixed or len(self.keys) > 0

    def between(self, a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Whether each slot of ``a`` may not join that of ``b``, shape (P,)."""
        apart = self.fixed[a] & self.fixed[b] if self.any_fixed else np.zeros(len(a), bool)
        if len(self.keys):
            key = a.astype(np.int64) * self.n + b
            at = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
            apart |= self.keys[at] == key
        return apart

    def of(self, slots: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All conflicts of the slots: (place in ``slots``, slot that it may not join), in two arrays."""
        place, other = self._listed(slots)
        if self.any_fixed and (mine := np.flatnonzero(self.fixed[slots])).size:
            everyone = np.flatnonzero(self.fixed)
            place = np.concatenate([place, np.repeat(mine, len(everyone))])
            other = np.concatenate([other, np.tile(everyone, len(mine))])
        return place, other

    def subset(self, slots: NDArray[np.int64]) -> "Conflicts":
        """Those among some slots, which are sorted and become 0, 1, ..."""
        place, other = self._listed(slots)
        at = np.minimum(np.searchsorted(slots, other), len(slots) - 1) if len(slots) else other
        inside = slots[at] == other
        return Conflicts(len(slots), np.stack([place[inside], at[inside]], axis=1), self.fixed[slots])

    def _listed(self, slots: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        begin = np.searchsorted(self.keys, slots * self.n)
        count = np.searchsorted(self.keys, (slots + 1) * self.n) - begin
        place = np.repeat(np.arange(len(slots)), count)
        offset = np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)
        return place, self.keys[np.repeat(begin, count) + offset] % self.n

    def merge(self, kept: NDArray[np.integer], gone: NDArray[np.integer]) -> None:
        """Slots ``gone`` became part of slots ``kept``, pairwise; none of ``kept`` is gone."""
        if self.any_fixed:
            np.logical_or.at(self.fixed, kept, self.fixed[gone])
            self.fixed[gone] = False
        if len(self.keys):
            slot = np.arange(self.n)
            slot[gone] = kept
            self._set(slot[self.keys // self.n], slot[self.keys % self.n])

    def _set(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> None:
        """Both directions of each pair once, sorted."""
        self.keys = np.unique(np.concatenate([a * self.n + b, b * self.n + a]))
