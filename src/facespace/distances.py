"""The one definition of distance: squared L2 of unit vectors, in [0, 4] (paper, section 3)."""

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError

UNIT_TOLERANCE = 1e-3


def distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance of corresponding rows.

    Args:
        a: unit vectors, shape (..., D).
        b: unit vectors, shape (..., D), broadcast against ``a``.

    Returns:
        Squared L2 distances, shape (...), in [0, 4].
    """
    difference = np.asarray(a, np.float32) - np.asarray(b, np.float32)
    return np.clip(np.einsum("...d,...d->...", difference, difference), 0.0, 4.0)


def distance_matrix(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distances of all rows of ``a``, shape (N, D), to all rows of ``b``, shape (M, D): shape (N, M)."""
    product = np.asarray(a, np.float32) @ np.asarray(b, np.float32).T
    return np.clip(2.0 - 2.0 * product, 0.0, 4.0)


def similarity(distance: NDArray[np.float32] | float) -> NDArray[np.float32]:
    """Cosine similarity that belongs to a distance: 1 - distance / 2."""
    return np.asarray(1.0 - np.asarray(distance) / 2.0, np.float32)


def same_person(distance: NDArray[np.float32] | float, threshold: float) -> NDArray[np.bool_]:
    """True where ``distance <= threshold``; equality accepts (paper, section 4)."""
    return np.asarray(np.asarray(distance) <= threshold)


def check_embeddings(embeddings: NDArray[np.float32], name: str = "embeddings") -> NDArray[np.float32]:
    """Return ``embeddings`` as a contiguous (N, D) float32 array of finite unit rows.

    Raises:
        InputError: another shape, a value that is not finite, or a row whose length is not 1.
    """
    array = np.ascontiguousarray(embeddings, np.float32)
    if array.ndim != 2:
        raise InputError(f"{name}: expected an (N, D) array of unit rows, got shape {array.shape}")
    lengths = np.linalg.norm(array, axis=1)
    bad = np.flatnonzero(~(np.abs(lengths - 1.0) <= UNIT_TOLERANCE))
    if bad.size:
        raise InputError(
            f"{name}: row {bad[0]} has length {lengths[bad[0]]:.4g}, expected 1; "
            "divide each row by its norm and drop rows that are not finite"
        )
    return array
