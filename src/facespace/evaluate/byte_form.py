"""What the byte form of embeddings costs: VAL at FAR of 128 bytes beside that of the floats."""

from dataclasses import dataclass

import numpy as np

from facespace.embed import BYTE_LIMIT, dequantise, quantise
from facespace.evaluate.holdout import HoldoutFaces
from facespace.evaluate.resample import IdentityPairs, draw_weights, interval
from facespace.metrics import all_pairs

__all__ = ["ByteResult", "evaluate_bytes"]

N_DRAWS = 500


@dataclass(frozen=True)
class ByteResult:
    """TAR (VAL) of bytes beside that of floats, on the same pairs.

    Attributes:
        far: false-accept rate of both thresholds, each chosen on its own distances.
        byte_scale: components times this are rounded and clipped.
        tar_floats: of the embeddings as they are.
        tar_bytes: of their byte form.
        change: the second less the first.
        change_interval: 95 %, identities resampled in pairs.
        clipped: share of the components at the limit of a byte.
        n_same: pairs of one person.
        n_diff: pairs of two persons.
    """

    far: float
    byte_scale: float
    tar_floats: float | None
    tar_bytes: float | None
    change: float | None
    change_interval: tuple[float, float]
    clipped: float
    n_same: int
    n_diff: int


def evaluate_bytes(faces: HoldoutFaces, byte_scale: float, *, far: float = 1e-3) -> ByteResult:
    """Compare embeddings with their byte form over all pairs.

    Raises:
        InputError: a scale that is not positive, or embeddings that cannot be resampled.
    """
    stored = quantise(faces.embeddings, byte_scale)
    sides = (faces.embeddings, dequantise(stored))
    floats, bytes_ = (all_pairs(rows, faces.labels, fars=(far,))[0] for rows in sides)
    weights = draw_weights(len(faces.identities), N_DRAWS)
    drawn = [IdentityPairs.of(rows, faces.labels).tar_at_far(weights, far) for rows in sides]
    known = floats.tar is not None and bytes_.tar is not None
    return ByteResult(
        far,
        byte_scale,
        floats.tar,
        bytes_.tar,
        bytes_.tar - floats.tar if known else None,  # type: ignore[operator]
        interval((drawn[1] - drawn[0])[1:]),
        float((np.abs(stored) == BYTE_LIMIT).mean()),
        floats.n_same,
        floats.n_diff,
    )
