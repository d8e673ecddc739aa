"""Intervals of TAR at a FAR by resampling identities, since the pairs of one person are not independent.

Pairs are counted once for each two identities and step of distance, so a resample of the identities is a product
of weights with these counts: identity i drawn w_i times has w_i times its own pairs, and w_i w_j with identity j.
The steps are quantiles of the different pairs' distances, even in log FAR and within 1 % of each other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.distances import check_embeddings, distance_matrix
from facespace.errors import InputError
from facespace.metrics.resampling import draw_identities

__all__ = ["IdentityPairs", "draw_weights", "interval"]

LARGEST_FAR = 0.03
N_STEPS = 800
SAMPLED_PAIRS = 1_000_000
BLOCK_DRAWS = 128
MOST_IDENTITIES = 600


@dataclass(frozen=True)
class IdentityPairs:
    """Pairs of a set of faces, counted up to each of K distances by the identities that they join.

    Attributes:
        edges: distances, float64, shape (K,), rising.
        same: pairs of identity i up to each distance, shape (I, K).
        n_same: pairs of identity i, shape (I,).
        diff: pairs of identities i < j up to each distance, shape (I (I - 1) / 2, K), rows as np.triu_indices.
        n_diff: pairs of identities i < j, likewise.
    """

    edges: NDArray[np.float64]
    same: NDArray[np.float32]
    n_same: NDArray[np.float32]
    diff: NDArray[np.float32]
    n_diff: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        embeddings: NDArray[np.float32],
        labels: NDArray[np.int64],
        *,
        n_identities: int | None = None,
        edges: NDArray[np.float64] | None = None,
    ) -> "IdentityPairs":
        """Count all pairs i < j.

        Args:
            embeddings: unit rows, shape (N, D).
            labels: identities, shape (N,), below ``n_identities``.
            n_identities: identities in all; the largest label and one when absent.
            edges: distances to count at; chosen from the pairs when absent.

        Raises:
            InputError: other shapes, rows that are not of unit length, fewer than two identities or too many to
                hold the pairs of each two.
        """
        rows, labels = check_embeddings(embeddings), np.asarray(labels)
        if labels.shape != (len(rows),) or len(np.unique(labels)) < 2:
            raise InputError(f"labels: expected shape ({len(rows)},) with two identities or more")
        n = int(labels.max()) + 1 if n_identities is None else n_identities
        if n > MOST_IDENTITIES:
            raise InputError(f"expected at most {MOST_IDENTITIES} identities to resample, got {n}")
        at = _edges(rows, labels) if edges is None else edges
        counts, totals = _count(rows, labels, n, at)
        upper = np.triu_indices(n, 1)
        diagonal = np.arange(n)
        return cls(at, counts[diagonal, diagonal], totals[diagonal, diagonal], counts[upper], totals[upper])

    @property
    def n_identities(self) -> int:
        """How many identities the weights are for."""
        return len(self.n_same)

    def step_at_far(self, weights: NDArray[np.float32], far: float) -> NDArray[np.int64]:
        """The last distance whose FAR is at most ``far``, as an index into ``edges``, -1 for none; shape (B,).

        Args:
            weights: how often each identity counts, shape (B, I).
            far: the rate, at most LARGEST_FAR.
        """
        found = [np.zeros(0, np.int64)]
        for pairs in self._pair_weights(weights):
            allowed = far * (pairs @ self.n_diff)
            found.append((pairs @ self.diff <= allowed[:, None]).sum(1) - 1)
        return np.concatenate(found)

    def tar(self, weights: NDArray[np.float32], step: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of the same pairs up to the distance of each ``step``, shape (B,)."""
        accepted = np.asarray(weights, np.float64) @ np.hstack([self.same, np.zeros((self.n_identities, 1))])
        return accepted[np.arange(len(step)), step] / np.maximum(weights @ self.n_same, 1e-12)

    def far(self, weights: NDArray[np.float32], step: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share of the different pairs up to the distance of each ``step``, shape (B,)."""
        accepted = np.hstack([self.diff, np.zeros((len(self.diff), 1), np.float32)])[:, step]
        pairs = np.concatenate(list(self._pair_weights(weights)))
        shares = np.einsum("bp,pb->b", pairs, accepted) / np.maximum(pairs @ self.n_diff, 1e-12)
        return np.asarray(shares, np.float64)

    def _pair_weights(self, weights: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """The product of the weights of each two identities, shape (up to BLOCK_DRAWS, I (I - 1) / 2)."""
        left, right = np.triu_indices(self.n_identities, 1)
        for start in range(0, len(weights), BLOCK_DRAWS):
            block = np.asarray(weights[start : start + BLOCK_DRAWS], np.float32)
            yield block[:, left] * block[:, right]

    def tar_at_far(self, weights: NDArray[np.float32], far: float) -> NDArray[np.float64]:
        """TAR at ``far`` for each row of ``weights``, shape (B,)."""
        return self.tar(weights, self.step_at_far(weights, far))


def draw_weights(n_identities: int, n_draws: int, *, seed: int = 0) -> NDArray[np.float32]:
    """Bootstrap weights, shape (1 + n_draws, n_identities): the first row is the sample itself, all ones."""
    drawn = draw_identities(n_identities, n_draws=n_draws, seed=seed).T
    return np.vstack([np.ones(n_identities, np.float32), drawn])


def interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of bootstrap values, shape (B,)."""
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def _edges(rows: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Quantiles of the different pairs' distances, from the few smallest to LARGEST_FAR of them."""
    every = max(1, round(len(rows) ** 2 / 2 / SAMPLED_PAIRS))
    distances = distance_matrix(rows, rows[::every])
    different = np.sort(distances[labels[:, None] != labels[None, ::every]])
    shares = np.geomspace(1 / len(different), LARGEST_FAR, N_STEPS)
    return np.unique(np.quantile(different, shares)).astype(np.float64)


def _count(
    rows: NDArray[np.float32], labels: NDArray[np.int64], n: int, edges: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pairs between identities up to each edge, shape (n, n, K), and in all, (n, n); a pair of one person once."""
    n_bins = len(edges) + 1
    counts = np.zeros((n, n, n_bins), np.float32)
    for identity in np.unique(labels):
        own = rows[labels == identity]
        steps = np.searchsorted(edges, distance_matrix(own, rows), side="left")
        keys = labels[None].astype(np.int64) * n_bins + steps
        counts[identity] = np.bincount(keys.ravel(), minlength=n * n_bins).reshape(n, n_bins)
        # Itself at distance 0 is no pair, and the others of one person were met twice.
        counts[identity, identity, 0] -= len(own)
        counts[identity, identity] /= 2
    upto = np.cumsum(counts, axis=2)
    return upto[:, :, :-1], upto[:, :, -1]
