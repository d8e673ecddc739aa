"""Intervals and paired tests that resample identities: pairs that share a person are not independent of each other.

A draw takes as many identities as there are, with replacement. A same-person pair then weighs as often as its identity
was drawn, a pair of two people as often as the product of both; copies of one identity make no pairs of their own.
Source: Bolle, Ratha & Pankanti 2004, "Error analysis of pattern recognition systems: the subsets bootstrap".
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError

LEVEL = 0.95
N_DRAWS = 1000
PAIRS_PER_CHUNK = 4096


@dataclass(frozen=True)
class Interval:
    """A percentile interval over draws of identities."""

    low: float  # lower end
    high: float  # upper end
    level: float  # the share of draws between them
    n_identities: int  # how many identities were drawn from


def draw_identities(n_identities: int, *, n_draws: int = N_DRAWS, seed: int = 0) -> NDArray[np.float32]:
    """How often each identity is drawn, shape (P, B): columns sum to P."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_identities, np.full(n_identities, 1 / n_identities), n_draws).T.astype(
        np.float32
    )


def interval_of(values: NDArray[np.float64], n_identities: int, *, level: float = LEVEL) -> Interval | None:
    """The percentile interval of finite ``values``, shape (B,); None where fewer than half are finite."""
    known = values[np.isfinite(values)]
    if n_identities < 2 or 2 * len(known) < len(values):
        return None
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, n_identities)


def mean_interval(
    values: NDArray[np.float64],
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    *,
    level: float = LEVEL,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> Interval | None:
    """Interval of the mean of one value a listed pair, such as whether the pair was decided rightly.

    Args:
        values: shape (N,).
        first: identity of each pair's first face, shape (N,).
        second: of its second, shape (N,).
        level: the share of draws inside.
        n_draws: draws.
        seed: of the draws.

    Raises:
        InputError: other shapes.
    """
    values, first, second = np.asarray(values, np.float64), np.asarray(first), np.asarray(second)
    if not values.shape == first.shape == second.shape or values.ndim != 1:
        raise InputError(
            f"expected values and identities of one shape (N,), got {values.shape}, {first.shape}, {second.shape}"
        )
    names, numbers = np.unique(np.concatenate([first, second]), return_inverse=True)
    if len(names) < 2:
        return None
    draws = draw_identities(len(names), n_draws=n_draws, seed=seed)
    a, b = numbers[: len(first)], numbers[len(first) :]
    total, weight = np.zeros(n_draws), np.zeros(n_draws)
    for start in range(0, len(a), PAIRS_PER_CHUNK):
        part = slice(start, start + PAIRS_PER_CHUNK)
        weights = weights_of(draws, a[part], b[part])
        total += values[part] @ weights
        weight += weights.sum(0)
    return interval_of(ratio(total, weight), len(names), level=level)


def weights_of(
    draws: NDArray[np.float32], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float32]:
    """How often each pair counts in each draw, shape (N, B): once a draw of its one identity, or the product of two."""
    other = np.where((first == second)[:, None], np.float32(1.0), draws[second])
    return draws[first] * other


def ratio(part: NDArray[np.floating[Any]], whole: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """part / whole, nan where the whole is 0."""
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0)
