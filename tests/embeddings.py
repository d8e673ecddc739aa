"""Embeddings drawn by chance, and sizes so small that a few dozen faces take every path of the clustering."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from facespace.cluster import plan, rounds, search, single


def unit_rows(rng: np.random.Generator, n: int, dim: int = 3) -> np.ndarray:
    rows = rng.normal(size=(n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@contextmanager
def small_sizes(dense: int, neighbours: int) -> Iterator[None]:
    """Rounds, lists that run out and searches in several blocks, on a few dozen faces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "DENSE_GROUPS", dense)
        patch.setattr(rounds, "NEIGHBOURS", neighbours)
        patch.setattr(single, "NEIGHBOURS", neighbours)
        patch.setattr(single, "COLUMNS_AT_ONCE", 32)
        patch.setattr(plan, "EXACT_QUERIES_AT_ONCE", 20)
        patch.setattr(search, "ROWS_AT_ONCE", 7)
        patch.setattr(search, "COLUMNS_AT_ONCE", 32)
        yield
