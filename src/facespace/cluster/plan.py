"""Which search a clustering uses, what it keeps to go on from, and how far it is."""

import hashlib
import os
from collections.abc import Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from facespace.cluster.conflicts import Conflicts
from facespace.cluster.groups import Groups
from facespace.cluster.partition import PartitionSearch, recall
from facespace.cluster.search import BlockSearch, Search

__all__ = ["EXACT_GROUPS", "Progress", "Saved", "SearchMethod", "SearchPlan"]

SearchMethod = Literal["auto", "exact", "partition"]
Found = tuple[NDArray[np.int32], NDArray[np.float32]]
Saved = MutableMapping[str, Found]
Progress = Callable[[int, int], None]

# Up to so many groups every search is exact.
EXACT_GROUPS = 100_000
# Parts of a search among cells are large, so that many queries look into each cell together.
EXACT_QUERIES_AT_ONCE, CELL_QUERIES_AT_ONCE = 4096, 32_768
# Shorter searches are not worth a file.
KEPT_QUERIES = 65_536
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
            return _InParts(BlockSearch(groups, slots, conflicts), self, EXACT_QUERIES_AT_ONCE)
        cells = PartitionSearch(groups, slots, conflicts)
        if self.n_searches == 1:
            sample = np.random.default_rng(0).choice(slots, min(RECALL_SAMPLE, len(slots)), replace=False)
            self.recall = recall(cells, BlockSearch(groups, slots, conflicts), sample, RECALL_AT)
        return _InParts(cells, self, CELL_QUERIES_AT_ONCE)


class _InParts:
    """A search part by part on all cores, each part kept by the hash of what was asked."""

    def __init__(self, inner: Search, plan: SearchPlan, at_once: int) -> None:
        self.inner, self.plan, self.at_once, self.number = inner, plan, at_once, plan.n_searches

    def nearest(self, queries: NDArray[np.int64], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """See `Search`."""
        keep = self.plan.saved is not None and len(queries) >= KEPT_QUERIES
        nearest = partial(self._kept if keep else self.inner.nearest, k=k)
        parts = [queries[begin : begin + self.at_once] for begin in range(0, len(queries), self.at_once)]
        found: list[Found] = []
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            # A core a part: the threads of one product would wait for each other, above all on a busy machine.
            with threadpool_limits(1, user_api="blas"):
                for part in pool.map(nearest, parts):
                    found.append(part)
                    if self.plan.on_search and self.number == 1:
                        self.plan.on_search(min(len(found) * self.at_once, len(queries)), len(queries))
        finally:
            # Parts that are being searched are finished, and kept.
            pool.shutdown(wait=True, cancel_futures=True)
        return np.concatenate([part[0] for part in found]), np.concatenate([part[1] for part in found])

    def _kept(self, queries: NDArray[np.int64], k: int) -> Found:
        assert self.plan.saved is not None
        digest = hashlib.sha256(queries.tobytes() + bytes([k])).hexdigest()[:16]
        key = f"search-{self.number:03d}-{digest}"
        if key not in self.plan.saved:
            self.plan.saved[key] = self.inner.nearest(queries, k)
        return self.plan.saved[key]
