"""The threshold for a collection of n faces, from false-accept rates that a calibration measured.

n faces make n (n - 1) / 2 pairs, nearly all of different people, so a rate that is good for one comparison joins a
large collection. What keeps groups good as collections grow is the number of impostors within reach of a face,
(n - 1) x FAR: `python -m lab.clustering rule` shows it, and which number is best (docs/clustering.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from facespace.errors import InputError
from facespace.models import distance_at

# Both by `python -m lab.clustering rule`, on celebrities and on families (docs/clustering.md).
IMPOSTORS_IN_REACH = 5.0
# Small collections: a looser rate joins relatives and look-alikes.
LOOSEST_FAR = 0.0075


@dataclass(frozen=True)
class CollectionThreshold:
    """What a collection is grouped at.

    Attributes:
        distance: the threshold.
        far: share of the pairs of different people within it.
        n_pairs: pairs of faces in the collection.
        false_pairs: pairs of different people expected within the threshold, if all faces are of different people.
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
    impostors: float = IMPOSTORS_IN_REACH,
    far: float | None = None,
) -> CollectionThreshold:
    """The threshold at which a face of the collection has so many impostors within reach.

    Args:
        distances: at each FAR, as a ModelSpec holds them; at least two measured.
        n_faces: of the collection.
        impostors: expected number of other people's faces within the threshold of a face, or
        far: the rate of a single pair, whatever the collection's size.

    Raises:
        InputError: a rate or number that is not positive.
        ModelError: fewer than two distances are known.
    """
    if not (impostors > 0 and (far is None or 0 < far < 1)):
        raise InputError(f"expected impostors above 0 and far in (0, 1), got {impostors} and {far}")
    rate = min(LOOSEST_FAR, impostors / max(1, n_faces - 1)) if far is None else far
    distance, extrapolated = distance_at(distances, rate)
    n_pairs = n_faces * (n_faces - 1) // 2
    return CollectionThreshold(distance, rate, n_pairs, rate * n_pairs, extrapolated)
