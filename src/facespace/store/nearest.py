"""Exact search: byte templates of one model in memory, and the nearest of them by matrix product in blocks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["TemplateMatrix"]

DISTANCES_AT_ONCE = 2**22


@dataclass(frozen=True)
class TemplateMatrix:
    """Byte templates ready to be compared.

    The components stay whole numbers, kept as float32: a product of two byte vectors of up to 1040 components is
    then exact, whatever the order of its sum, so equal vectors tie on every machine and in every block.

    Attributes:
        face_id: int64, shape (N,), each once.
        values: float32, shape (N, D), whole numbers in -127 .. 127.
        lengths: float64, shape (N,), of the rows.
    """

    face_id: NDArray[np.int64]
    values: NDArray[np.float32]
    lengths: NDArray[np.float64]

    @classmethod
    def of(cls, face_id: NDArray[np.int64], vectors: NDArray[np.int8]) -> "TemplateMatrix":
        """Of byte vectors, shape (N, D)."""
        values = vectors.astype(np.float32)
        return cls(face_id, values, _lengths(values))

    def __len__(self) -> int:
        return len(self.face_id)

    @classmethod
    def joined(cls, parts: "Sequence[TemplateMatrix]") -> "TemplateMatrix":
        """The templates of one or more."""
        return (
            parts[0]
            if len(parts) == 1
            else cls(
                np.concatenate([part.face_id for part in parts]),
                np.concatenate([part.values for part in parts]),
                np.concatenate([part.lengths for part in parts]),
            )
        )

    @classmethod
    def empty(cls, dim: int) -> "TemplateMatrix":
        """None, of so many components."""
        return cls.of(np.zeros(0, np.int64), np.zeros((0, dim), np.int8))

    def nearest(
        self, probes: NDArray[np.int8], k: int, *, among: NDArray[np.bool_] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
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
        rows = np.zeros((len(probes), k), np.int64)
        distances = np.zeros((len(probes), k))
        if k == 0:
            return rows, distances
        at_once = max(1, DISTANCES_AT_ONCE // len(self))
        for start in range(0, len(probes), at_once):
            block = self._distances(probes[start : start + at_once])
            if among is not None:
                block[:, ~among] = np.inf
            for i, row in enumerate(block, start):
                rows[i] = self._smallest(row, k)
                distances[i] = row[rows[i]]
        return rows, distances

    def _distances(self, probes: NDArray[np.int8]) -> NDArray[np.float64]:
        values = probes.astype(np.float32)
        cosines = (values @ self.values.T).astype(np.float64)
        cosines /= _lengths(values)[:, None]
        cosines /= self.lengths
        return np.clip(2.0 - 2.0 * cosines, 0.0, 4.0)

    def _smallest(self, distance: NDArray[np.float64], k: int) -> NDArray[np.int64]:
        """The k smallest, ties by face id: all that tie with the k-th are candidates."""
        limit = np.partition(distance, k - 1)[k - 1]
        candidates = np.flatnonzero(distance <= limit)
        order = np.lexsort((self.face_id[candidates], distance[candidates]))
        return candidates[order[:k]]


def _lengths(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of rows of whole numbers; a row of zeros has no direction and stays at distance 2 of everything."""
    squares = np.einsum("nd,nd->n", values, values, dtype=np.float64)
    return np.maximum(np.sqrt(squares), 1e-12)
