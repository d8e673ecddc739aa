"""Exact search: byte templates of one model, and the nearest of them by matrix product in blocks."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

# A block of templates and the products of a chunk of probes with it stay in the processor's cache.
ROWS_AT_ONCE = 2048
PROBES_AT_ONCE = 256
LEAST_PROBES = 32  # of a chunk, for which a block is made float32
ROWS_FOR_THREADS = 20_000
# Of what was found so far so much waits to be put in order.
WAITING = 2**16
# Below any product, and not infinite, so that rows without a part, at -inf, stay below it.
FAR_AWAY = 1e30

Found = tuple[NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True)
class ByteRows:
    """Byte templates in the order of their ids, in memory or in a file that is mapped into it: N of them.

    One byte a component is all that is held. Blocks of rows are made float32 as they are compared: a product of two
    byte vectors of up to 1040 components is then exact, whatever the order of its sum, so equal vectors tie on every
    machine and in every block.

    Attributes:
        template_id: int64, shape (N,), increasing.
        face_id: int64, shape (N,), each once.
        codes: uint8, shape (N, D): the component and 128.
    """

    template_id: NDArray[np.int64]
    face_id: NDArray[np.int64]
    codes: NDArray[np.uint8]

    @classmethod
    def of(
        cls, template_id: NDArray[np.int64], face_id: NDArray[np.int64], vectors: NDArray[np.int8]
    ) -> "ByteRows":
        """Of byte vectors, shape (N, D)."""
        return cls(template_id, face_id, vectors.view(np.uint8) ^ np.uint8(128))

    @classmethod
    def empty(cls, dim: int) -> "ByteRows":
        """None, of so many components."""
        none = np.zeros(0, np.int64)
        return cls(none, none, np.zeros((0, dim), np.uint8))

    @classmethod
    def joined(cls, parts: "Sequence[ByteRows]") -> "ByteRows":
        """The rows of one or more, one after the other."""
        full = [part for part in parts if len(part)] or list(parts[:1])
        if len(full) == 1:
            return full[0]
        return cls(
            np.concatenate([part.template_id for part in full]),
            np.concatenate([part.face_id for part in full]),
            np.concatenate([part.codes for part in full]),
        )

    def __len__(self) -> int:
        return len(self.face_id)

    def __getitem__(self, which: NDArray[np.bool_] | NDArray[np.int64] | slice) -> "ByteRows":
        """Some of them, in this order."""
        return ByteRows(self.template_id[which], self.face_id[which], self.codes[which])

    def vectors(self, rows: NDArray[np.int64] | slice) -> NDArray[np.int8]:
        """The byte vectors of some rows, of the shape of ``rows`` and (D,)."""
        return (self.codes[rows] ^ np.uint8(128)).view(np.int8)

    @cached_property
    def length_limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The smallest and the largest length of the rows of each block."""
        starts = range(0, len(self), ROWS_AT_ONCE)
        limits = [block_limits(self.codes[start : start + ROWS_AT_ONCE]) for start in starts]
        low, high = np.array(limits, np.float64).reshape(-1, 2).T
        return low, high

    def nearest(self, probes: NDArray[np.int8], k: int, *, among: NDArray[np.bool_] | None = None) -> Found:
        """The k nearest templates of each probe.

        Args:
            probes: byte vectors, shape (P, D).
            k: at least 1.
            among: shape (N,), which templates take part; None for all.

        Returns:
            rows and distances, shape (P, K), by distance and then face id; K = min(k, templates that take part).
            The distance is that of the normalised rows, as of any two byte vectors.
        """
        k = min(k, len(self) if among is None else int(among.sum()))
        if not k or not len(probes):
            return np.zeros((len(probes), k), np.int64), np.zeros((len(probes), k))
        workers = os.cpu_count() or 1
        size = min(PROBES_AT_ONCE, max(LEAST_PROBES, -(-len(probes) // workers)))
        chunks = [probes[start : start + size] for start in range(0, len(probes), size)]
        # A thread a chunk: those of the matrix product would wait for one another at every block.
        with _thread_pools().limit(limits=1, user_api="blas"):
            if len(chunks) == 1 or len(self) < ROWS_FOR_THREADS:
                parts = [self._nearest(chunk, k, among) for chunk in chunks]
            else:
                with ThreadPoolExecutor(workers) as threads:
                    parts = list(threads.map(lambda chunk: self._nearest(chunk, k, among), chunks))
        rows, distance = zip(*parts, strict=True)
        return np.concatenate(rows), np.concatenate(distance)

    def _nearest(self, probes: NDArray[np.int8], k: int, among: NDArray[np.bool_] | None) -> Found:
        values = probes.astype(np.float32)
        best = _Best(row_lengths(values), k, self.face_id)
        for i, (start, block) in enumerate(self._blocks()):
            products = values @ block.T
            seen = slice(start, start + len(block))
            if among is not None:
                products[:, ~among[seen]] = -np.inf
            limit = best.limit(products, *(float(side[i]) for side in self.length_limits))
            near = np.flatnonzero(products >= limit[:, None])
            if len(near):
                probe, place = np.divmod(near, len(block))
                best.add(probe, start + place, products[probe, place], row_lengths(block[place]))
        return best.take()

    def _blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """The first row of each block, and its vectors as float32; the array is used again for the next one."""
        bits = np.empty((min(ROWS_AT_ONCE, len(self)), self.codes.shape[1]), np.uint8)
        values = np.empty(bits.shape, np.float32)
        for start in range(0, len(self), ROWS_AT_ONCE):
            block = self.codes[start : start + ROWS_AT_ONCE]
            np.bitwise_xor(block, np.uint8(128), out=bits[: len(block)])
            np.copyto(values[: len(block)], bits[: len(block)].view(np.int8))
            yield start, values[: len(block)]


@cache
def _thread_pools() -> ThreadpoolController:
    """Found once, which takes a thousand times as long as to limit them."""
    return ThreadpoolController()


class _Best:
    """The k nearest rows of each of P probes among those seen so far, with ties by face id."""

    def __init__(self, lengths: NDArray[np.float64], k: int, face_id: NDArray[np.int64]) -> None:
        self.lengths, self.k, self.face_id = lengths, k, face_id
        self.probe = np.zeros(0, np.int64)
        self.row = np.zeros(0, np.int64)
        self.distance = np.zeros(0)
        self.waiting: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []
        self.n_waiting = 0
        # The product of each probe with a row of length 1 that is as near as the k-th best so far: rows that are not
        # nearer, and do not tie, need not be looked at.
        self.reach = np.full(len(lengths), -FAR_AWAY)
        self.is_full = False

    def limit(self, products: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
        """The product, shape (P,), below which no row of a block can be among the k nearest.

        Args:
            products: of each probe with the rows of the block, shape (P, B); -inf for rows that take no part.
            low: the smallest length of these rows.
            high: the largest.
        """
        reach = self.reach
        if not self.is_full and products.shape[1] >= self.k:
            # The k largest products of the block tell how near the k-th nearest row is at least.
            kth = np.partition(products, -self.k, axis=1)[:, -self.k].astype(np.float64)
            reach = np.maximum(reach, np.maximum(kth, -FAR_AWAY) / np.where(kth > 0, high, low))
        # Products are whole numbers: one less is below all that rounding does.
        return (reach * np.where(reach > 0, low, high) - 1.0).astype(np.float32)

    def add(
        self,
        probe: NDArray[np.int64],
        row: NDArray[np.int64],
        products: NDArray[np.float32],
        lengths: NDArray[np.float64],
    ) -> None:
        """Take up rows that may be among the nearest, with their products and lengths."""
        cosines = products.astype(np.float64) / self.lengths[probe] / lengths
        self.waiting.append((probe, row, np.clip(2.0 - 2.0 * cosines, 0.0, 4.0)))
        self.n_waiting += len(probe)
        if self.n_waiting >= min(WAITING, self.k * len(self.lengths)):
            self._settle()

    def take(self) -> Found:
        """What was found: rows and distances, shape (P, k)."""
        self._settle()
        shape = (len(self.lengths), self.k)
        return self.row.reshape(shape), self.distance.reshape(shape)

    def _settle(self) -> None:
        parts = [(self.probe, self.row, self.distance), *self.waiting]
        probe, row, distance = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.lexsort((self.face_id[row], distance, probe))
        n_of = np.bincount(probe, minlength=len(self.lengths))
        rank = np.arange(len(order)) - np.repeat(np.cumsum(n_of) - n_of, n_of)
        kept = order[rank < self.k]
        self.probe, self.row, self.distance = probe[kept], row[kept], distance[kept]
        self.waiting, self.n_waiting = [], 0
        full = n_of >= self.k
        ends = np.cumsum(np.minimum(n_of, self.k)) - 1
        cosine = 1.0 - self.distance[np.maximum(ends, 0)] / 2.0
        self.reach, self.is_full = np.where(full, cosine * self.lengths, -FAR_AWAY), bool(full.all())


def row_lengths(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of rows of whole numbers; a row of zeros has no direction and stays at distance 2 of everything."""
    squares = np.einsum("...d,...d->...", values, values, dtype=np.float64)
    return np.asarray(np.maximum(np.sqrt(squares), 1e-12))


def distances(probes: NDArray[np.int8], vectors: NDArray[np.int8]) -> NDArray[np.float64]:
    """Of each of P probes, shape (P, D), to its own K byte vectors, shape (P, K, D): shape (P, K)."""
    left, right = probes.astype(np.float32), vectors.astype(np.float32)
    cosines = np.einsum("pd,pkd->pk", left, right).astype(np.float64)
    cosines /= row_lengths(left)[:, None]
    cosines /= row_lengths(right)
    return np.clip(2.0 - 2.0 * cosines, 0.0, 4.0)


def block_limits(codes: NDArray[np.uint8]) -> tuple[float, float]:
    """The smallest and the largest length of the rows of a block, one row at least."""
    lengths = row_lengths((codes ^ np.uint8(128)).view(np.int8).astype(np.float32))
    return float(lengths.min()), float(lengths.max())
