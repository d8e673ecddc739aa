import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facespace.distances import distance_matrix
from facespace.embed import dequantise
from facespace.store import nearest
from facespace.store.nearest import ByteRows


def by_hand(ids: np.ndarray, vectors: np.ndarray, probe: np.ndarray, k: int) -> list[tuple[float, int]]:
    """Distances of the normalised rows, whole numbers until the last step, sorted with the face ids."""
    found = []
    for number, vector in zip(ids.tolist(), vectors.astype(int), strict=True):
        product = int((vector * probe.astype(int)).sum())
        lengths = [max(float(np.sqrt((v.astype(int) ** 2).sum())), 1e-12) for v in (probe, vector)]
        found.append((min(4.0, max(0.0, 2 - 2 * (product / lengths[0] / lengths[1]))), number))
    return sorted(found)[:k]


@settings(deadline=None, max_examples=150)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 30),
    st.integers(1, 12),
    st.booleans(),
    st.integers(1, 40),
    st.integers(1, 9),
)
def test_the_nearest_are_those_of_brute_force_with_ties_by_face_id(
    seed: int, n: int, k: int, few: bool, at_once: int, waiting: int
) -> None:
    rng = np.random.default_rng(seed)
    # Few values make many ties, and rows of zeros.
    limit = 1 if few else 127
    vectors = rng.integers(-limit, limit + 1, (n, 4)).astype(np.int8)
    probes = rng.integers(-limit, limit + 1, (3, 4)).astype(np.int8)
    ids = rng.permutation(100)[:n].astype(np.int64)
    among = rng.random(n) < 0.7
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest, "ROWS_AT_ONCE", at_once)
        patch.setattr(nearest, "PROBES_AT_ONCE", 2)
        patch.setattr(nearest, "LEAST_PROBES", 1)
        patch.setattr(nearest, "WAITING", waiting)
        patch.setattr(nearest, "ROWS_FOR_THREADS", 1 if seed % 9 == 0 else 1000)
        halves = (slice(n // 2), slice(n // 2, None))
        held = ByteRows.joined([ByteRows.of(ids[part], ids[part], vectors[part]) for part in halves])
        for mask in (None, among):
            rows, distances = held.nearest(probes, k, among=mask)
            kept = np.ones(n, bool) if mask is None else mask
            for p in range(3):
                found = list(zip(distances[p].tolist(), ids[rows[p]].tolist(), strict=True))
                assert found == by_hand(ids[kept], vectors[kept], probes[p], k)


def test_the_distance_is_that_of_the_normalised_rows() -> None:
    rng = np.random.default_rng(0)
    vectors, probes = rng.integers(-127, 128, (2, 50, 128)).astype(np.int8)
    rows, distances = ByteRows.of(np.arange(50), np.arange(50), vectors).nearest(probes, 50)
    defined = distance_matrix(dequantise(probes), dequantise(vectors))
    assert distances == pytest.approx(np.take_along_axis(defined, rows, 1), abs=1e-6)
