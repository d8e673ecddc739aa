"""Which search a clustering uses, what it keeps to go on from, and how far it is."""

import hashlib
from collections.abc import Callable, MutableMapping
from contextlib import closing
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from facespace.cluster.conflicts import Conflicts
from facespace.cluster.groups import Groups
from facespace.cluster.near import NearPairs, all_pairs_of_blocks
from facespace.cluster.partition import PartitionSearch, recall
from facespace.cluster.search import BlockSearch, Search
from facespace.workers import Threads, Workers, as_workers

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
        workers: who searches; the threads of this machine unless given.

    Attributes:
        recall: recall@8 of the first search among cells, measured on a thousand faces; 1 for exact ones.
    """

    def __init__(
        self,
        method: SearchMethod = "auto",
        saved: Saved | None = None,
        on_search: Progress | None = None,
        workers: int | Workers | None = None,
    ) -> None:
        self.method, self.saved, self.on_search = method, saved, on_search
        self.workers = as_workers(workers)
        self.is_elsewhere = not isinstance(self.workers, Threads)
        self.recall = 1.0
        self.n_searches = 0

    def __call__(self, groups: Groups, slots: NDArray[np.int64], conflicts: Conflicts) -> Search:
        """A search over the slots that are left."""
        self.n_searches += 1
        if not self._among_cells(len(slots)):
            return _InParts(BlockSearch(groups, slots, conflicts), self, EXACT_QUERIES_AT_ONCE)
        cells = PartitionSearch(groups, slots, conflicts)
        if self.n_searches == 1:
            sample = np.random.default_rng(0).choice(slots, min(RECALL_SAMPLE, len(slots)), replace=False)
            self.recall = recall(cells, BlockSearch(groups, slots, conflicts), sample, RECALL_AT)
        return _InParts(cells, self, CELL_QUERIES_AT_ONCE)

    def near_pairs(self, groups: Groups, conflicts: Conflicts, limit: float) -> NearPairs | None:
        """What finds pairs up to ``limit``, where components are to be merged first: of many, or by other machines."""
        if limit == np.inf:
            return None
        if self._among_cells(len(groups.size)):
            return PartitionSearch(groups, np.arange(len(groups.size)), conflicts).near_pairs(limit)
        return all_pairs_of_blocks(groups, conflicts, limit) if self.is_elsewhere else None

    def _among_cells(self, n_groups: int) -> bool:
        return self.method == "partition" or (self.method == "auto" and n_groups > EXACT_GROUPS)


class _InParts:
    """A search part by part, by all workers, each part kept by the hash of what was asked."""

    def __init__(self, inner: Search, plan: SearchPlan, at_once: int) -> None:
        self.inner, self.plan, self.at_once, self.number = inner, plan, at_once, plan.n_searches

    def nearest(self, queries: NDArray[np.int64], k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """See `Search`."""
        parts = [queries[begin : begin + self.at_once] for begin in range(0, len(queries), self.at_once)]
        saved: Saved = {} if self.plan.saved is None or len(queries) < KEPT_QUERIES else self.plan.saved
        names = [self._name(part, k) for part in parts]
        found = {name: saved[name] for name in names if name in saved}
        missing = [i for i, name in enumerate(names) if name not in found]
        searched = self.plan.workers.map(partial(self.inner.nearest, k=k), [parts[i] for i in missing])
        # A core a part: the threads of one product would wait for each other, above all on a busy machine.
        with threadpool_limits(1, user_api="blas"), closing(searched):
            for i, part in zip(missing, searched, strict=True):
                found[names[i]] = part
                if saved is self.plan.saved:
                    saved[names[i]] = part
                if self.plan.on_search and self.number == 1:
                    self.plan.on_search(min(len(found) * self.at_once, len(queries)), len(queries))
        return np.concatenate([found[name][0] for name in names]), np.concatenate(
            [found[name][1] for name in names]
        )

    def _name(self, queries: NDArray[np.int64], k: int) -> str:
        digest = hashlib.sha256(queries.tobytes() + bytes([k])).hexdigest()[:16]
        return f"search-{self.number:03d}-{digest}"
