"""Which search a clustering uses, what it keeps to go on from, and how far it is."""

import hashlib
from collections.abc import Callable, MutableMapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facespace.cluster.conflicts import Conflicts
from facespace.cluster.groups import Groups
from facespace.cluster.partition import PartitionSearch, recall
from facespace.cluster.search import BlockSearch, Search

__all__ = ["EXACT_GROUPS", "Progress", "Saved", "SearchMethod", "SearchPlan"]

SearchMethod = Literal["auto", "exact", "partition"]
Saved = MutableMapping[str, tuple[NDArray[np.int32], NDArray[np.float32]]]
Progress = Callable[[int, int], None]

# Up to so many groups every search is exact.
EXACT_GROUPS = 100_000
QUERIES_AT_ONCE = 65_536
RECALL_SAMPLE = 1000
RECALL_AT = 8


class SearchPlan:
    """Builds the searches of one clustering.

    Args:
        method: "exact", "partition", or by the number of groups that are left ("auto").
        saved: where the results of long searches are kept, and found again after an interruption.
        on_search: called with (queries done, queries in all) of the first search.

    Attributes:
        recall: recall@8 of the first search among cells, measured on a thousand faces; 1 for exact ones.
    """

    def __init__(
        self, method: SearchMethod = "auto", saved: Saved | None = None, on_search: Progress | None = None
    ) -> None:
        self.method, self.saved, self.on_search = method, saved, on_search
        self.recall = 1.0
        self.n_searches = 0

    def __call__(self, groups: Groups, slots: NDArray[np.int64], conflicts: Conflicts) -> Search:
        """A search over the slots that are left."""
        self.n_searches += 1
        if self.method == "exact" or (self.method == "auto" and len(slots) <= EXACT_GROUPS):
            inner: Search = BlockSearch(groups, slots, conflicts)
        else:
            inner = PartitionSearch(groups, slots, conflicts)
            if self.n_searches == 1:
                sample = np.random.default_rng(0).choice(slots, min(RECALL_SAMPLE, len(slots)), replace=False)
                self.recall = recall(inner, BlockSearch(groups, slots, conflicts), sample, RECALL_AT)
        return _InParts(inner, self)


class _InParts:
    """A search part by part, each kept by the hash of what was asked."""

    def __init__(self, inner: Search, plan: SearchPlan) -> None:
        self.inner, self.plan, self.number = inner, plan, plan.n_searches

    def nearest(self, queries: NDArray[np.int64], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """See `Search`."""
        parts = []
        for begin in range(0, len(queries), QUERIES_AT_ONCE):
            parts.append(self._part(queries[begin : begin + QUERIES_AT_ONCE], k))
            if self.plan.on_search and self.number == 1:
                self.plan.on_search(min(begin + QUERIES_AT_ONCE, len(queries)), len(queries))
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _part(self, queries: NDArray[np.int64], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        if self.plan.saved is None or len(queries) < QUERIES_AT_ONCE:
            return self.inner.nearest(queries, k)
        digest = hashlib.sha256(queries.tobytes() + bytes([k])).hexdigest()[:16]
        key = f"search-{self.number:03d}-{digest}"
        if key not in self.plan.saved:
            self.plan.saved[key] = self.inner.nearest(queries, k)
        return self.plan.saved[key]
