"""Every byte of a block compared by faiss, which for a few probes takes a third of the time of a matrix product."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.store.nearest import ROWS_AT_ONCE, ByteRows, distances, row_lengths

# For more, the block is made float32 once for all of them, which is faster.
MOST_PROBES = 4
# So many more are fetched than are asked for.
MORE = 64
# Rows of a length below this share of the usual one are always compared, up to so many blocks with such rows.
SHORT, MOST_ODD_BLOCKS = 0.97, 64


def faiss_if_there() -> Any:
    """The module, or None without the extra `index`."""
    return import_module("faiss") if find_spec("faiss") else None


@contextmanager
def one_thread(faiss: Any) -> Iterator[None]:
    """What this thread does inside uses no other ones of OpenMP."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class ByteScan:
    """Finds the nearest rows for certain, by their products with a probe.

    faiss orders rows by the product alone, but the distance is that of the normalised rows. So more are fetched than
    are asked for: no row that was left out has a greater product than the last one fetched, nor a smaller length than
    the shortest one, which bounds its cosine. Where the k-th best of what was fetched is not beyond this bound, the
    probe is left to an exact comparison.

    Args:
        rows: which are not copied.
        faiss: the module.
    """

    recall = None

    def __init__(self, rows: ByteRows, faiss: Any) -> None:
        self._rows, self._index, self._faiss = rows, index_over(rows.codes, faiss), faiss
        self._odd, self._low = _odd_rows(rows)
        self._high = float(rows.length_limits[1].max(initial=1.0))

    def rows(
        self, probes: NDArray[np.int8], k: int, among: NDArray[np.bool_] | None
    ) -> NDArray[np.int64] | None:
        """See `facespace.store.held.Finder.rows`."""
        n_fetched = min(k + MORE, len(self._rows))
        if len(probes) > MOST_PROBES or n_fetched <= k:
            return None
        values = probes.astype(np.float32)
        with one_thread(self._faiss):  # waking others takes longer
            products, found = self._index.search(values, n_fetched)
        found[np.isin(found, self._odd)] = -1
        found = np.concatenate([found, np.broadcast_to(self._odd, (len(probes), len(self._odd)))], axis=1)
        if among is not None:
            found[~among[found]] = -1
        distance = distances(probes, self._rows.vectors(found))
        distance[found < 0] = np.inf
        last = products[:, -1].astype(np.float64)
        cosine = last / np.where(last > 0, self._low, self._high) / row_lengths(values)
        kth = np.partition(distance, k - 1, axis=1)[:, k - 1]
        found[~(kth < 2.0 - 2.0 * cosine - 1e-9)] = -1
        return np.asarray(found, np.int64)


def _odd_rows(rows: ByteRows) -> tuple[NDArray[np.int64], float]:
    """The rows that are much shorter than the others, and the length below which no other one lies."""
    low, high = rows.length_limits
    usual = SHORT * float(np.median(high))
    blocks = np.flatnonzero(low < usual)
    if not len(blocks) or len(blocks) > MOST_ODD_BLOCKS:
        return np.zeros(0, np.int64), float(low.min())
    odd = []
    for start in (blocks * ROWS_AT_ONCE).tolist():
        vectors = rows.vectors(slice(start, start + ROWS_AT_ONCE)).astype(np.float32)
        odd.append(start + np.flatnonzero(row_lengths(vectors) < usual))
    return np.concatenate(odd), usual


def index_over(codes: NDArray[np.uint8], faiss: Any) -> Any:
    """An index over bytes where they lie, which must outlive it."""
    n, dim = codes.shape
    kind = faiss.ScalarQuantizer.QT_8bit_direct_signed  # its codes are the component and 128, as ours
    index = faiss.IndexScalarQuantizer(dim, kind, faiss.METRIC_INNER_PRODUCT)
    # A view needs an owner; that of an index read in place from a few bytes will do.
    index.add(np.zeros((1, dim), np.float32))
    small = faiss.serialize_index(index)
    reader = faiss.ZeroCopyIOReader(faiss.swig_ptr(small), small.size)
    lender = faiss.downcast_index(faiss.read_index(reader))
    index.codes = faiss.MaybeOwnedVectorUInt8.create_view(
        faiss.swig_ptr(codes), codes.size, lender.codes.owner
    )
    index.ntotal = n
    return index
