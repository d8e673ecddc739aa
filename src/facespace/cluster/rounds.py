"""Average linkage and Ward by rounds of reciprocal nearest neighbours, without a distance matrix.

Both linkages are reducible: when two groups that are each other's nearest merge, the merged group is never nearer
to a third than the nearer part was. So all reciprocal pairs may merge at once, and the tree is the one of always
merging the closest two.

Each group keeps a short list of its nearest and a *bound* below which no group outside the list lies. A merged
group takes both lists, and as bound the mean of the two bounds by size (Ward: the smaller), since every group outside
both lists is at least so far. As long as the nearest of a list is within the bound it is the nearest of all; else the
group waits, until a search over the groups then left gives it a new list. Searches are matrix products, and few are
needed.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facespace.cluster.conflicts import Conflicts
from facespace.cluster.dense import chain, group_matrix
from facespace.cluster.groups import Groups
from facespace.cluster.search import BlockSearch, Search
from facespace.cluster.ties import chance
from facespace.cluster.tree import Merges

# So many groups or fewer are finished on an explicit matrix.
DENSE_GROUPS = 2048
NEIGHBOURS = 8
# A search is due when a round merges less than this share of the groups that wait for one.
PATIENCE = 0.1
# Two ways of summing a distance in float32 agree to this.
ROUNDING = np.float32(2e-6)
FAR = np.float32(np.inf)
NOTHING = Merges.join([])

MakeSearch = Callable[[Groups, NDArray[np.int64], Conflicts], Search]


class Rounds:
    """Merges groups up to ``limit``; slots are those of ``groups``.

    Args:
        groups: to be merged, in place.
        conflicts: groups that may not join, kept up to date.
        limit: largest distance of a merge; may be infinite.
        make_search: builds a search over the groups that are left.
        on_merge: called with (merges so far, most there can be).
        begun: what was merged before; its slots that are gone take no part.
    """

    def __init__(
        self,
        groups: Groups,
        conflicts: Conflicts,
        limit: float,
        *,
        make_search: MakeSearch = BlockSearch,
        on_merge: Callable[[int, int], None] | None = None,
        begun: Merges = NOTHING,
    ) -> None:
        n = len(groups.size)
        self.groups, self.conflicts, self.limit = groups, conflicts, np.float32(limit)
        self.make_search, self.on_merge = make_search, on_merge
        self.lists = np.full((n, NEIGHBOURS), -1, np.int32)
        self.bound = np.zeros(n, np.float32)
        self.nearest = np.full(n, -1, np.int32)
        self.distance = np.full(n, FAR)
        self.height = np.zeros(n, np.float32)  # of the last merge of each
        np.maximum.at(self.height, begun.first, begun.distance.astype(np.float32))
        self.open = np.ones(n, bool)  # may still merge
        self.open[begun.second] = False
        self.ready = np.zeros(n, bool)  # its nearest is known for certain
        self.root = np.arange(n, dtype=np.int32)
        self.merges = [begun]

    def run(self) -> Merges:
        """All merges of slots, those before among them; a group is made before it is joined."""
        n_merges = len(self.merges[0].second)
        while int(self.open.sum()) > DENSE_GROUPS:
            waiting = np.flatnonzero(self.open & ~self.ready)
            merged = self._merge_reciprocal()
            n_merges += merged
            if self.on_merge and n_merges:
                self.on_merge(n_merges, len(self.open) - 1)
            if merged <= PATIENCE * len(waiting) or not merged:
                if not self.open.any():
                    break
                self._search()
        self._finish()
        return Merges.join(self.merges)

    def _search(self) -> None:
        """New lists for the groups that wait."""
        left = np.flatnonzero(self.open)
        waiting = left[~self.ready[left]]
        search = self.make_search(self.groups, left, self.conflicts)
        lists, bound = search.nearest(waiting, NEIGHBOURS)
        self.bound[waiting] = bound
        self._refresh(waiting, lists, certain=True)

    def _refresh(self, slots: NDArray[np.int64], lists: NDArray[np.int32], *, certain: bool = False) -> None:
        """Choose the nearest of each slot from its list, and keep the best of the list."""
        distance = self._distances(slots, lists)
        if lists.shape[1] > NEIGHBOURS:
            order = np.argpartition(distance, NEIGHBOURS, axis=1)
            dropped = np.take_along_axis(distance, order[:, NEIGHBOURS:], 1).min(axis=1)
            self.bound[slots] = np.minimum(self.bound[slots], dropped)
            kept = order[:, :NEIGHBOURS]
            lists, distance = np.take_along_axis(lists, kept, 1), np.take_along_axis(distance, kept, 1)
        self.lists[slots] = np.where(distance < FAR, lists, -1)
        self._choose(slots, lists, distance)
        best, bound = self.distance[slots], self.bound[slots]
        self.ready[slots] = (best <= self.limit) & (best < FAR) & ((best <= bound + ROUNDING) | certain)
        self.open[slots] = self.ready[slots] | (np.minimum(best, bound) <= self.limit) & (bound < FAR)

    def _distances(self, slots: NDArray[np.int64], lists: NDArray[np.int32]) -> NDArray[np.float32]:
        """Of each slot to the groups of its list (R, W); infinite for itself, repeats and groups it may not join."""
        lists.sort(axis=1)
        own = np.broadcast_to(slots[:, None], lists.shape)
        real = (lists >= 0) & (lists != own)
        real[:, 1:] &= lists[:, 1:] != lists[:, :-1]
        distance = np.full(lists.shape, FAR)
        a, b = own[real], lists[real]
        values = self.groups.distance(a, b)
        if self.conflicts:
            values[self.conflicts.between(a, b)] = FAR
        distance[real] = values
        return distance

    def _choose(
        self, slots: NDArray[np.int64], lists: NDArray[np.int32], distance: NDArray[np.float32]
    ) -> None:
        best = distance.min(axis=1, initial=FAR)
        place = distance.argmin(axis=1)
        tied = np.flatnonzero((distance == best[:, None]).sum(1) > 1)
        if len(tied):
            draw = chance(slots[tied, None], lists[tied])
            draw[distance[tied] != best[tied, None]] = np.iinfo(np.uint64).max
            place[tied] = draw.argmin(axis=1)
        self.distance[slots] = best
        self.nearest[slots] = np.where(best < FAR, lists[np.arange(len(slots)), place], -1)

    def _merge_reciprocal(self) -> int:
        """Merge all pairs that are each other's nearest; returns how many."""
        asking = np.flatnonzero(self.ready & self.open)
        asking = self._offer(asking)
        other = self.nearest[asking]
        mutual = (asking < other) & self.ready[other] & (self.nearest[other] == asking)
        kept, gone = asking[mutual], other[mutual].astype(np.int64)
        if len(kept):
            self._merge(kept, gone)
        return len(kept)

    def _offer(self, asking: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tell each group who has it as nearest, so that near is mutual even on ties and in lists with gaps."""
        other = self.nearest[asking]
        distance = self.distance[asking]
        known = np.where(self.ready[other], self.distance[other], self.bound[other] + ROUNDING)
        fresh = (distance <= known) & (self.nearest[other] != asking)
        if not fresh.any():
            return asking
        by, other, distance = asking[fresh], other[fresh], distance[fresh]
        draw = chance(by, other)
        order = np.lexsort((draw, distance, other))
        order = order[np.unique(other[order], return_index=True)[1]]
        by, other, distance, draw = by[order], other[order], distance[order], draw[order]
        nearer = distance < self.distance[other]
        wins = ~self.ready[other] | nearer | (draw < chance(other, self.nearest[other]))
        by, other, distance = by[wins], other[wins], distance[wins]
        self.nearest[other], self.distance[other] = by, distance
        self.ready[other] = self.open[other] = True
        return np.union1d(asking, other)

    def _merge(self, kept: NDArray[np.int64], gone: NDArray[np.int64]) -> None:
        distance = np.maximum(self.distance[kept], np.maximum(self.height[kept], self.height[gone]))
        self.height[kept] = distance
        self.merges.append(Merges(kept, gone, distance.astype(np.float64)))
        self.bound[kept] = self._joint_bound(kept, gone)
        self.groups.merge(kept, gone)
        self.conflicts.merge(kept, gone)
        self.open[gone] = self.ready[gone] = False
        self.root[gone] = kept
        self.root = self.root[self.root]
        touched = np.zeros(len(self.open), bool)
        touched[kept] = touched[gone] = True
        stale = np.flatnonzero(self.open & self.ready & touched[self.nearest] & ~touched)
        self._refresh(stale, self.root[self.lists[stale]] | -(self.lists[stale] < 0).astype(np.int32))
        both = np.concatenate([self.lists[kept], self.lists[gone]], axis=1)
        self._refresh(kept, self.root[both] | -(both < 0).astype(np.int32))

    def _joint_bound(self, kept: NDArray[np.int64], gone: NDArray[np.int64]) -> NDArray[np.float32]:
        if self.groups.linkage == "ward":
            return np.minimum(self.bound[kept], self.bound[gone])
        share = (self.groups.size[gone] / (self.groups.size[kept] + self.groups.size[gone])).astype(
            np.float32
        )
        mixed = (1 - share) * self.bound[kept] + share * self.bound[gone]
        return np.where(np.isfinite(mixed), mixed, FAR)

    def _finish(self) -> None:
        """The rest on an explicit matrix."""
        left = np.flatnonzero(self.open)
        matrix = group_matrix(self.groups, left)
        matrix[self.conflicts.subset(left).of(np.arange(len(left)))] = np.inf
        found = chain(matrix, self.groups.size[left], self.groups.linkage, float(self.limit))
        height = self.height[left]
        for k, (kept, gone) in enumerate(zip(found.first, found.second, strict=True)):
            height[kept] = max(found.distance[k], height[kept], height[gone])
            found.distance[k] = height[kept]
        self.merges.append(found.at(left))
