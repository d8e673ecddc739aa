"""Offline mining (paper, section 3.2): triplets of the newest weights, over a pool far larger than a batch.

Every so many steps a pool of faces is embedded, its triplets are found, and batches are then filled with the faces of
those triplets. Small batches do, since nothing is looked for inside a batch.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from facespace.training.mining import Triplets, mine
from facespace.training.recipe import Mining
from facespace.training.sampler import TripletSampler

__all__ = ["OfflineMiner"]

Embed = Callable[[NDArray[np.int64]], torch.Tensor]


class OfflineMiner:
    """Batches of mined triplets.

    Args:
        labels: int64, shape (N,), of all faces.
        mining: rule, margin, and ``pool`` faces to look through.
        batch_size: faces a batch at most.
        faces_per_identity: at most so many of one identity in the pool.
        seed: of pools and draws.
    """

    def __init__(
        self,
        labels: NDArray[np.int64],
        mining: Mining,
        *,
        batch_size: int,
        faces_per_identity: int,
        seed: int,
    ) -> None:
        self.labels, self.mining, self.batch_size, self.seed = labels, mining, batch_size, seed
        pool_size = min(mining.pool, len(labels))
        self.pools = TripletSampler(labels, pool_size, faces_per_identity, seed=seed)

    def mine(self, embed: Embed, step: int, *, rule: str, pairs: str) -> NDArray[np.int64]:
        """Triplets of face indices found at this step, in random order: shape (T, 3).

        Args:
            embed: face indices -> unit rows of the newest weights.
            step: of the run; decides the pool and the draws.
            rule: see `facespace.training.mining`.
            pairs: see there.
        """
        pool = next(self.pools.batches(step))
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        mining = self.mining
        found = mine(
            embed(pool).cpu(),
            torch.from_numpy(self.labels[pool]),
            margin=mining.margin,
            rule=rule,
            pairs=pairs,
            negatives_per_pair=mining.negatives_per_pair,
            choice=mining.choice,
            generator=generator,
        )
        columns = torch.stack([found.anchor_idx, found.positive_idx, found.negative_idx], 1).numpy()
        triplets: NDArray[np.int64] = pool[columns]
        return triplets[np.random.default_rng((self.seed, step)).permutation(len(triplets))]

    def batches(self, triplets: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], Triplets]]:
        """Face indices of each batch and its triplets, which index the batch."""
        per_batch = max(1, self.batch_size // 3)
        for start in range(0, len(triplets), per_batch):
            faces, places = np.unique(triplets[start : start + per_batch], return_inverse=True)
            a, p, n = torch.from_numpy(places.reshape(-1, 3)).unbind(1)
            yield faces, Triplets(a, p, n, len(a))
