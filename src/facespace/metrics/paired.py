"""Is one model better than another on the same faces? Paired tests, whose verdict is a word that was computed."""

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.metrics.all_pairs import all_pairs
from facespace.metrics.resampling import LEVEL, N_DRAWS, Interval, interval_of
from facespace.metrics.tar_intervals import tar_draws

SIGNIFICANCE = 1.0 - LEVEL


@dataclass(frozen=True)
class McNemar:
    """The exact McNemar test of two models' decisions on the same pairs."""

    n_only_first: int  # pairs that only the first model decides rightly
    n_only_second: int  # pairs that only the second does
    p_value: float  # two-sided chance of so uneven a share, if both were equally good
    # "significantly better", "significantly worse" or "not significantly different" (the first model)
    verdict: str


@dataclass(frozen=True)
class TarComparison:
    """TAR at one FAR of two models on the same faces."""

    far: float  # the false accept rate asked for
    first: float | None  # TAR of the first model; None where the pairs do not support the FAR
    second: float | None  # of the second; None likewise
    difference: Interval | None  # interval of first - second over shared draws of identities; None likewise
    verdict: str | None  # as in `McNemar`, significant where the interval leaves out 0; None likewise


def mcnemar(first_right: NDArray[np.bool_], second_right: NDArray[np.bool_]) -> McNemar:
    """Exact McNemar test: pairs decided rightly by one model alone fall to either side like a fair coin.

    Source: McNemar 1947, in the exact binomial form. It takes pairs as independent, as LFW's reports do.

    Args:
        first_right: shape (N,), which pairs the first model decides rightly.
        second_right: shape (N,), likewise the second.

    Raises:
        InputError: other shapes.
    """
    first, second = np.asarray(first_right, bool), np.asarray(second_right, bool)
    if first.shape != second.shape or first.ndim != 1:
        raise InputError(f"expected decisions of one shape (N,), got {first.shape} and {second.shape}")
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n, least = only_first + only_second, min(only_first, only_second)
    p_value = min(1.0, 2 * sum(comb(n, k) for k in range(least + 1)) / 2**n)
    return McNemar(
        only_first, only_second, p_value, verdict(only_first - only_second, p_value < SIGNIFICANCE)
    )


def compare_tar(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    labels: NDArray[np.int64],
    *,
    far: float,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> TarComparison:
    """TAR at ``far`` over A x A of two models, each at its own threshold, on the same draws of identities.

    Args:
        first: unit rows of the first model, shape (N, D).
        second: unit rows of the second model for the same faces, shape (N, E).
        labels: identities, shape (N,).
        far: false accept rate.
        n_draws: draws of identities.
        seed: of the draws.

    Raises:
        InputError: models that did not see the same faces; else as for `facespace.metrics.all_pairs`.
    """
    if len(first) != len(second):
        raise InputError(f"expected two models' rows of the same faces, got {len(first)} and {len(second)}")
    tars = [all_pairs(rows, labels, fars=(far,))[0].tar for rows in (first, second)]
    draws = [tar_draws(rows, labels, far=far, n_draws=n_draws, seed=seed) for rows in (first, second)]
    interval = None
    if draws[0] is not None and draws[1] is not None:
        interval = interval_of(draws[0] - draws[1], len(np.unique(labels)))
    if interval is None:
        return TarComparison(far, tars[0], tars[1], None, None)
    word = verdict(interval.low + interval.high, interval.low > 0 or interval.high < 0)
    return TarComparison(far, tars[0], tars[1], interval, word)


def verdict(advantage: float, significant: bool) -> str:
    """The word for an ``advantage`` of the first over the second."""
    if not significant:
        return "not significantly different"
    return "significantly better" if advantage > 0 else "significantly worse"
