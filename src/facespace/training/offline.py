"""Offline mining (paper, section 3.2): triplets of the newest weights, over a pool far larger than a batch.

Every so many steps a pool of faces is embedded and its triplets are found. Batches are then made of the faces of these
triplets. They may be small, since nothing is searched for inside a batch.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from facespace.training.mining import Triplets, mine
from facespace.training.recipe import Recipe
from facespace.training.sampler import TripletSampler

Embed = Callable[[NDArray[np.int64]], torch.Tensor]


class OfflineMiner:
    """Batches of mined triplets.

    Args:
        labels: int64, shape (N,), of all faces.
        recipe: `mining` gives rule, margin and the size of the pool; a pool has at most
            `batches.faces_per_identity` faces of one identity, and a batch at most `batches.batch_size`.
    """

    def __init__(self, labels: NDArray[np.int64], recipe: Recipe) -> None:
        self.labels, self.recipe = labels, recipe
        pool_size = min(recipe.mining.pool, len(labels))
        self.pools = TripletSampler(labels, pool_size, recipe.batches.faces_per_identity, seed=recipe.seed)

    def mine(self, embed: Embed, step: int, progress: float) -> NDArray[np.int64]:
        """Triplets of face indices found at this step, in random order: shape (T, 3).

        Args:
            embed: face indices -> unit rows of the newest weights.
            step: of the run; decides the pool and the draws.
            progress: part of the run that is done, for a curriculum.
        """
        pool, seed = next(self.pools.batches(step)), self.recipe.seed
        found = mine(
            embed(pool).cpu(),
            torch.from_numpy(self.labels[pool]),
            generator=torch.Generator().manual_seed(seed * 1_000_003 + step),
            **self.recipe.mining.options_at(progress),
        )
        columns = torch.stack([found.anchor_idx, found.positive_idx, found.negative_idx], 1).numpy()
        triplets: NDArray[np.int64] = pool[columns]
        return triplets[np.random.default_rng((seed, step)).permutation(len(triplets))]

    def batch(self, triplets: NDArray[np.int64], at: int) -> tuple[NDArray[np.int64], Triplets]:
        """Face indices of a batch, and its triplets, which index the batch; after the last comes the first again."""
        per_batch = max(1, self.recipe.batches.batch_size // 3)
        start = at % -(-len(triplets) // per_batch) * per_batch
        faces, places = np.unique(triplets[start : start + per_batch], return_inverse=True)
        a, p, n = torch.from_numpy(places.reshape(-1, 3)).unbind(1)
        return faces, Triplets(a, p, n, len(a))
