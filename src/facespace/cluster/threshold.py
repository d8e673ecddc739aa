"""The threshold for a collection of n faces, from false-accept rates that a calibration measured.

n faces make n (n - 1) / 2 pairs, nearly all of strangers, so a rate that is good for one comparison puts a large
collection in a heap. What keeps groups good as collections grow is the number of strangers within reach of a face,
(n - 1) x FAR: `python -m lab.clustering rule` shows it, and which number is best (docs/clustering.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from facespace.errors import InputError
from facespace.models import distance_at

__all__ = ["STRANGERS_IN_REACH", "CollectionThreshold", "collection_threshold"]

# Both by `python -m lab.clustering rule`, on collections of 8 to 128 people by two models.
STRANGERS_IN_REACH = 12.0
# Small collections: a looser rate joins look-alikes, and calibrations measure none.
LOOSEST_FAR = 0.01


@dataclass(frozen=True)
class CollectionThreshold:
    """What a collection is grouped at.

    Attributes:
        distance: the threshold.
        far: share of the pairs of strangers within it.
        n_pairs: pairs of faces in the collection.
        false_pairs: so many pairs of strangers are expected within the threshold, were all faces strangers.
        extrapolated: the rate lies beyond those that the calibration measured; the distance comes from a fitted tail.
    """

    distance: float
    far: float
    n_pairs: int
    false_pairs: float
    extrapolated: bool


def collection_threshold(
    distances: Mapping[str, float | None],
    n_faces: int,
    *,
    strangers: float = STRANGERS_IN_REACH,
    far: float | None = None,
) -> CollectionThreshold:
    """The threshold at which a face of the collection has so many strangers within reach.

    Args:
        distances: at each FAR, as a ModelSpec holds them; at least two measured.
        n_faces: of the collection.
        strangers: expected number of other people's faces within the threshold of a face, or
        far: the rate of a single pair, whatever the collection's size.

    Raises:
        InputError: a rate or number that is not positive.
        ModelError: fewer than two distances are known.
    """
    if not (strangers > 0 and (far is None or 0 < far < 1)):
        raise InputError(f"expected strangers above 0 and far in (0, 1), got {strangers} and {far}")
    rate = min(LOOSEST_FAR, strangers / max(1, n_faces - 1)) if far is None else far
    distance, extrapolated = distance_at(distances, rate)
    n_pairs = n_faces * (n_faces - 1) // 2
    return CollectionThreshold(distance, rate, n_pairs, rate * n_pairs, extrapolated)
