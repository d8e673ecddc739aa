"""Groups that lie near each other, in components that are merged each on its own.

Average linkage and Ward are reducible: a merged group is never nearer to a third than the nearer of its parts was. So
every merge up to a distance joins groups of one component of the graph whose edges are the pairs up to that distance,
and each component can be merged by itself, exactly, wherever that is. At the threshold of a collection this graph is
one component of nearly all faces, since each face has several of other people within reach; at three quarters of it, it
falls into components of a few faces. What is left afterwards is merged as a whole (`rounds`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from facespace.cluster.conflicts import Conflicts
from facespace.cluster.constraints import components
from facespace.cluster.groups import Groups
from facespace.cluster.rounds import Rounds
from facespace.cluster.search import BlockSearch
from facespace.cluster.tree import Merges, roots
from facespace.workers import Workers

NEAR = 0.75  # of the threshold
BLOCK = 1024
PAIRS_AT_ONCE = 2**22
# Small components are merged together, on one explicit matrix.
UNIT_GROUPS = 512
# A larger component is left for the whole.
MAX_COMPONENT = 100_000


class NearPairs:
    """The pairs of slots up to a distance, block by block; pickled with the means of all groups.

    Args:
        columns: all slots.
        begin: int64, shape (B + 1,), where in the columns each block begins.
        partners: blocks from its own number on that each block is compared with.
        limit: largest distance of a pair.
    """

    def __init__(
        self, columns: BlockSearch, begin: NDArray[np.int64], partners: list[NDArray[np.int64]], limit: float
    ) -> None:
        self.columns, self.begin, self.partners, self.limit = columns, begin, partners, limit

    @property
    def n_blocks(self) -> int:
        """How many blocks there are."""
        return len(self.partners)

    def __call__(self, block: int) -> NDArray[np.int32]:
        """The pairs of a block's slots with those of its partners, shape (P, 2), each pair once."""
        slots = self.columns.slots
        mine = slots[self.begin[block] : self.begin[block + 1]]
        mine = mine[mine >= 0]
        found = [np.zeros((0, 2), np.int32)]
        for other in self.partners[block] if len(mine) else ():
            begin, end = int(self.begin[other]), int(self.begin[other + 1])
            distance = self.columns.distances(mine, begin, end)
            row, column = np.divmod(np.flatnonzero(distance <= self.limit), max(1, end - begin))
            pairs = np.stack([mine[row], slots[begin + column]], axis=1).astype(np.int32)
            found.append(pairs[pairs[:, 0] < pairs[:, 1]] if other == block else pairs)
        return np.concatenate(found)


def all_pairs_of_blocks(groups: Groups, conflicts: Conflicts, limit: float) -> NearPairs:
    """All pairs up to ``limit``, exactly."""
    columns = BlockSearch(groups, np.arange(len(groups.size)), conflicts)
    begin = np.minimum(np.arange(0, len(columns.slots) + BLOCK, BLOCK), len(columns.slots))
    n_blocks = len(begin) - 1
    return NearPairs(columns, begin, [np.arange(block, n_blocks) for block in range(n_blocks)], limit)


@dataclass(frozen=True)
class _Unit:
    """Groups that are merged together, and their slots in the whole."""

    slots: NDArray[np.int64]
    groups: Groups
    conflicts: Conflicts


def merge_near(
    groups: Groups, conflicts: Conflicts, pairs: NearPairs, limit: float, workers: Workers
) -> Merges:
    """Merge each component of the groups within ``limit`` of each other, up to that distance.

    Args:
        groups: merged in place.
        conflicts: of these groups, likewise.
        pairs: finds those within ``limit``.
        limit: largest distance of a merge.
        workers: who searches and merges.
    """
    root = _components(len(groups.size), conflicts, pairs, workers)
    units = list(_units(groups, conflicts, root))
    parts = []
    for unit, (found, left, made) in zip(
        units, workers.map(partial(_merge_unit, limit=limit), units), strict=True
    ):
        slots = unit.slots[left]
        groups.mean[slots], groups.scatter[slots], groups.size[slots] = made.mean, made.scatter, made.size
        parts.append(found.at(unit.slots))
    merges = Merges.join(parts)
    if len(merges.second):
        conflicts.merge(_roots(len(groups.size), merges)[merges.second], merges.second)
    return merges


def _components(n: int, conflicts: Conflicts, pairs: NearPairs, workers: Workers) -> NDArray[np.int64]:
    """The smallest slot that each slot is linked to, shape (n,); edges are not kept."""
    root = np.arange(n)
    waiting: list[NDArray[np.int32]] = []
    for found in workers.map(pairs, range(pairs.n_blocks)):
        if conflicts and len(found):
            found = found[~conflicts.between(found[:, 0], found[:, 1])]
        waiting.append(found)
        if sum(map(len, waiting)) > PAIRS_AT_ONCE:
            root, waiting = components(n, root[np.concatenate(waiting)])[root], []
    return components(n, root[np.concatenate(waiting)])[root] if waiting else root


def _units(groups: Groups, conflicts: Conflicts, root: NDArray[np.int64]) -> Iterator[_Unit]:
    """Components of several groups, small ones together."""
    order = np.argsort(root, kind="stable")
    begins = np.flatnonzero(np.diff(root[order], prepend=-1))
    sizes = np.diff(begins, append=len(order))
    several = (sizes > 1) & (sizes <= MAX_COMPONENT)
    begins, sizes = begins[several], sizes[several]
    first = 0
    while first < len(begins):
        filled = np.cumsum(sizes[first : first + UNIT_GROUPS])
        last = first + max(1, int(np.searchsorted(filled, UNIT_GROUPS, side="right")))
        parts = [order[b : b + s] for b, s in zip(begins[first:last], sizes[first:last], strict=True)]
        slots = np.sort(np.concatenate(parts))
        yield _Unit(slots, groups.subset(slots), conflicts.subset(slots))
        first = last


def _merge_unit(unit: _Unit, limit: float) -> tuple[Merges, NDArray[np.int64], Groups]:
    """The merges of a unit by place, the places that are left, and the groups there."""
    every = np.arange(len(unit.slots))
    # Rounds merge in place, and what comes from another process may not be written to.
    found = Rounds(unit.groups.subset(every), unit.conflicts.subset(every), limit).run()
    left, start = np.unique(_roots(len(every), found), return_inverse=True)
    return found, left, unit.groups.joined(start)


def _roots(n: int, merges: Merges) -> NDArray[np.int64]:
    """The slot that is left of each, shape (n,), after all these merges."""
    parent = np.arange(n)
    parent[merges.second] = merges.first
    return roots(parent)
