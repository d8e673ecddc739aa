"""Candidates among many millions: faiss's cells of similar templates (IVF), each with 4 bits for every two components.

A probe is compared with the codes of the templates in the cells nearest to it, and the best of these by their bytes. So
some of the nearest are missed; how many of the hits within a threshold is measured when the cells are built. The number
of cells that are looked into is chosen by it, with a margin for what the sample of probes leaves open.
"""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from facespace.errors import MissingExtraError
from facespace.store.candidates import Recall, share_interval
from facespace.store.index_files import map_arrays, write_arrays
from facespace.store.nearest import ByteRows
from facespace.store.scan import faiss_if_there, one_thread

# The codes tell the best hundred; their bytes tell the best of these. Of a million faces twice as many brought no hit
# more: what is missed lies in other cells.
CODES_KEPT = 128
CODES_PER_HIT = 8
ROWS_PER_CELL = 100
ITERATIONS = 10
ROWS_AT_ONCE = 2**17
# By the hits of one half of these the number of cells is chosen, by those of the other half it is judged.
MOST_PROBES = 2048
# Standard errors by which the share of the choosing ones has to lie above what is asked.
MARGIN = 2.0
LEAST_HITS = 300
NEAREST = 5
PROBES_FOR_THREADS, ROWS_FOR_THREADS = 16, 200_000

OnStep = Callable[[int, int], None]


class Cells:
    """Finds rows of a block of bytes by cells and codes; what it holds does not change.

    Args:
        index: of faiss.
        faiss: the module.
        rows: the bytes of the templates; the index knows them by their places.
        n_looked_into: cells a probe.
        recall: measured.

    Attributes:
        recall: what it finds of the hits.
    """

    def __init__(self, index: Any, faiss: Any, rows: ByteRows, n_looked_into: int, recall: Recall) -> None:
        self._index, self._faiss, self._rows = index, faiss, rows
        self._n_looked_into, self.recall = n_looked_into, recall

    @classmethod
    def build(
        cls,
        rows: ByteRows,
        *,
        distance: float,
        far: float,
        least_recall: float,
        on_step: OnStep | None = None,
    ) -> "Cells":
        """Cells of these rows, of which as few are looked into as a sample of probes allows; else all.

        Args:
            rows: some thousands at least.
            distance: hits within it count.
            far: the false-accept rate that it stands for.
            least_recall: the share of the hits that is to be found, with a margin for the sample.
            on_step: called with (rows done, rows in all).

        Raises:
            MissingExtraError: faiss is not installed.
        """
        faiss, rng = _faiss(), np.random.default_rng(0)
        # Threads that wait for one another at every step cost more than they bring.
        with threadpool_limits(1) if len(rows) < ROWS_FOR_THREADS else nullcontext():
            index = _trained(rows, faiss, rng)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            values = rows.vectors(part).astype(np.float32)
            index.add_with_ids(values, np.arange(start, start + len(values)))
            if on_step:
                on_step(start + len(values), len(rows))
        unmeasured = Recall(0.0, 0, NEAREST, far, "stored")
        return cls(index, faiss, rows, index.nlist, unmeasured)._measured(distance, least_recall, rng)

    def rows(self, probes: NDArray[np.int8], k: int, among: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        """See `facespace.store.held.Finder.rows`."""
        return self._find(probes, k, among, self._n_looked_into)

    def _find(
        self, probes: NDArray[np.int8], k: int, among: NDArray[np.bool_] | None, n_cells: int
    ) -> NDArray[np.int64]:
        chosen = {} if among is None else {"sel": self._faiss.IDSelectorBitmap(_bits(among))}
        parameters = self._faiss.IVFSearchParameters(nprobe=n_cells, **chosen)
        n_codes = min(max(CODES_KEPT, CODES_PER_HIT * k), len(self._rows))
        alone = one_thread(self._faiss) if len(probes) < PROBES_FOR_THREADS else nullcontext()
        with alone:
            _, found = self._index.search(probes.astype(np.float32), n_codes, params=parameters)
        return np.asarray(found, np.int64)

    def _measured(self, distance: float, least_recall: float, rng: np.random.Generator) -> "Cells":
        """The same with as many cells looked into as are needed, and its recall, by other probes."""
        probes, own, kind = _probes(self._rows, distance, rng)
        hits = _hits(self._rows, probes, own, distance)
        half = len(probes) // 2
        choosing, judging = slice(None, half), slice(half, None)
        n_cells = self._least_cells(probes[choosing], hits[choosing], least_recall)
        share, n_hits = self._share(probes[judging], hits[judging], n_cells)
        recall = Recall(share, n_hits, NEAREST, self.recall.far, kind)
        return Cells(self._index, self._faiss, self._rows, n_cells, recall)

    def _least_cells(self, probes: NDArray[np.int8], hits: NDArray[np.int64], least: float) -> int:
        """The fewest, to a thirty-second, in which these probes find that share of their hits with a margin."""

        def enough(n_cells: int) -> bool:
            share, n_hits = self._share(probes, hits, n_cells)
            return share_interval(share, n_hits, MARGIN)[0] >= least

        few, many, most = 0, 1, int(self._index.nlist)
        while many < most and not enough(many):
            few, many = many, min(most, 2 * many)
        while many - few > max(1, many // 32):
            middle = (few + many) // 2
            few, many = (few, middle) if enough(middle) else (middle, many)
        return many

    def _share(self, probes: NDArray[np.int8], hits: NDArray[np.int64], n_cells: int) -> tuple[float, int]:
        """The share of the hits, rows (P, K) with -1 for none, that are found; and how many there are."""
        found = self._find(probes, NEAREST + 1, None, n_cells)
        there = hits >= 0
        met = (found[:, :, None] == hits[:, None, :]).any(axis=1)
        return (float(met[there].mean()) if there.any() else 1.0), int(there.sum())

    def without(self, gone: NDArray[np.int64]) -> "Cells":
        """Those that do not hold the codes of these rows."""
        index = self._faiss.clone_index(self._index)
        index.remove_ids(gone)
        return Cells(index, self._faiss, self._rows, self._n_looked_into, self.recall)

    def write(self, path: Path) -> None:
        """Write what `read` takes.

        Raises:
            WriteError: no room on the disk, or no right to write there.
        """
        head = {"n_looked_into": self._n_looked_into, "recall": asdict(self.recall)}
        write_arrays(path, head, {"index": self._faiss.serialize_index(self._index)})

    @classmethod
    def read(cls, path: Path, rows: ByteRows) -> "Cells | None":
        """The cells of these rows; None where there are none, where they are damaged, or without faiss."""
        faiss = faiss_if_there()
        if faiss is None:
            return None
        try:
            head, arrays = map_arrays(path)
            index = faiss.deserialize_index(np.array(arrays["index"]))
            return cls(index, faiss, rows, head["n_looked_into"], Recall(**head["recall"]))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError):  # faiss raises the last one
            return None


def n_cells(n: int) -> int:
    """How many cells so many rows are put into."""
    return 1 << max(2, int(np.log2(2.1 * np.sqrt(n))))


def timed_build(rows: ByteRows) -> tuple[Callable[[NDArray[np.int8], int], object], float, float]:
    """Cells of these rows, for a forecast.

    Returns:
        what looks into so many cells for some probes; the processor seconds of finding the cell of one row, for each
        cell there is, and of coding it.

    Raises:
        MissingExtraError: faiss is not installed.
    """
    faiss = _faiss()
    index, values = (
        _trained(rows, faiss, np.random.default_rng(0)),
        rows.vectors(slice(None)).astype(np.float32),
    )
    start = time.process_time()
    index.quantizer.search(values, 1)
    between = time.process_time()
    index.add_with_ids(values, np.arange(len(rows)))
    end = time.process_time()
    of_cell, of_both = (between - start) / len(rows), (end - between) / len(rows)

    def find(probes: NDArray[np.int8], cells: int) -> object:
        parameters = faiss.IVFSearchParameters(nprobe=cells)
        with one_thread(faiss):
            return index.search(probes.astype(np.float32), CODES_KEPT, params=parameters)

    return find, of_cell / index.nlist, max(0.0, of_both - of_cell)


def _faiss() -> Any:
    faiss = faiss_if_there()
    if faiss is None:
        raise MissingExtraError("an index of cells", "index")
    return faiss


def _trained(rows: ByteRows, faiss: Any, rng: np.random.Generator) -> Any:
    """An index without rows, whose cells and codes are found by a sample."""
    n, dim = rows.codes.shape
    cells = n_cells(n)
    index = faiss.index_factory(dim, f"IVF{cells},PQ{dim // 2}x4fs", faiss.METRIC_L2)
    # Codes of what is left after a cell's mean do not work on bytes.
    index.by_residual = False
    index.cp.niter = ITERATIONS
    for clustering in (index.cp, index.pq.cp):
        clustering.min_points_per_centroid = 1  # faiss would print that there are few
    sample = rng.choice(n, min(n, ROWS_PER_CELL * cells), replace=False)
    index.train(rows.vectors(np.sort(sample)).astype(np.float32))
    return index


def _probes(
    rows: ByteRows, distance: float, rng: np.random.Generator
) -> tuple[NDArray[np.int8], NDArray[np.int64], str]:
    """Byte vectors to measure by, the row of each itself (-1 for none), and what they are."""
    own = rng.choice(len(rows), min(MOST_PROBES, len(rows)), replace=False)
    stored = rows.vectors(own)
    hits = _hits(rows, stored, own, distance)
    if int((hits >= 0).sum()) >= LEAST_HITS:
        return stored, own, "stored"
    # Few faces of one person: probes on the way from a template to another one, near enough to be hits of it.
    others = rows.vectors(rng.choice(len(rows), len(own))).astype(np.float32)
    start = stored.astype(np.float32)
    share = rng.uniform(0.3, 0.6, (len(own), 1)).astype(np.float32)
    drawn = np.rint((1 - share) * start + share * others).astype(np.int8)
    return drawn, np.full(len(own), -1), "drawn"


def _hits(
    rows: ByteRows, probes: NDArray[np.int8], own: NDArray[np.int64], distance: float
) -> NDArray[np.int64]:
    """The nearest rows of each probe within the distance, by comparing all; -1 for none, and for itself."""
    found, d = rows.nearest(probes, NEAREST + 1)
    return np.where((d <= distance) & (found != own[:, None]), found, -1)


def _bits(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.packbits(mask, bitorder="little")
