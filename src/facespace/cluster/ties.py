"""Which of several equal pairs comes first."""

import numpy as np
from numpy.typing import NDArray


def chance(a: NDArray[np.integer], b: NDArray[np.integer]) -> NDArray[np.uint64]:
    """A number for each unordered pair, the same either way round and as good as random.

    Where many pairs are equally near, an order by number would make all of them turn to one; by chance many pairs
    find each other at once.
    """
    low, high = np.minimum(a, b).astype(np.uint64), np.maximum(a, b).astype(np.uint64)
    mixed = (low << np.uint64(32)) ^ high
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
