"""What each step sees: the sampler's batches with blends beside them, or the batches of triplets mined offline."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facespace.errors import TrainingError
from facespace.training.data import Faces, prefetched
from facespace.training.distillation import TeacherTargets, crops_of
from facespace.training.mining import Triplets, mine
from facespace.training.objective import NO_IDENTITY
from facespace.training.parallel import World
from facespace.training.recipe import Recipe
from facespace.training.sampler import TripletSampler

Embed = Callable[[NDArray[np.int64]], Tensor]


@dataclass(frozen=True)
class Portion:
    """One step's pictures.

    Attributes:
        items: int64, shape (N,): indices of faces, and from the number of faces on of blends; of all ranks together.
        crops: uint8 RGB, shape (n, H, W, 3), of this rank's share of ``items``.
        triplets: mined offline, indexing ``items``; None where the batch itself is mined.
    """

    items: NDArray[np.int64]
    crops: NDArray[np.uint8]
    triplets: Triplets | None = None


class OfflineMiner:
    """Batches of triplets mined offline (paper, section 3.2): of the newest weights, over a pool of many batches.

    Batches may be small, since nothing is searched for inside one.

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


class Feed:
    """The steps of a run, in an order that the seed and the place in the run decide.

    Args:
        recipe: batches, mining and blends.
        faces: to train on.
        targets: the teacher's embeddings of them, if there is a teacher.
        world: which share of a batch is this process's.
        embed: face indices -> unit rows of the newest weights, for offline mining.
    """

    def __init__(
        self,
        recipe: Recipe,
        faces: Faces,
        targets: TeacherTargets | None,
        world: World,
        embed: Embed,
    ) -> None:
        self.recipe, self.faces, self.teacher, self.world, self.embed = recipe, faces, targets, world, embed
        b = recipe.batches
        self.sampler = TripletSampler(
            faces.labels, b.batch_size, b.faces_per_identity, b.anchor_share, recipe.seed
        )
        self.miner, self.mined = OfflineMiner(faces.labels, recipe), np.zeros((0, 3), np.int64)
        # With fixed steps an epoch, batches come from an endless row of passes, of which so many were taken.
        self._row: Iterator[NDArray[np.int64]] = iter(())
        self._taken = -1

    def n_steps(self, epoch: int) -> int:
        """Steps of an epoch: each face is an anchor about once, or, mined offline, as many as fill it once."""
        if self.recipe.epoch_steps:
            return self.recipe.epoch_steps
        if self.recipe.mining.every:
            return max(1, len(self.faces) // self.recipe.batches.batch_size)
        return self.sampler.n_batches(epoch)

    def portions(self, epoch: int, *, start: int, step: int) -> Iterator[Portion]:
        """The portions of an epoch from its step ``start`` on, where ``step`` is that step's number in the run."""
        if self.recipe.mining.every:  # nothing is loaded ahead: what comes next depends on the weights
            n_steps = self.n_steps(epoch)
            for i in range(start, n_steps):
                items, triplets = self._offline(step + i - start, (epoch + i / n_steps) / self.recipe.epochs)
                yield Portion(items, self._crops(items), triplets)
            return
        batches = enumerate(self._batches(epoch, start), start)
        items_of = (self._with_blends(batch, epoch, i) for i, batch in batches)
        for items, crops in prefetched(items_of, self._crops):
            yield Portion(items, crops)

    def labels(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Identities, NO_IDENTITY for blends."""
        return np.where(items < len(self.faces), self.faces.labels[items % len(self.faces)], NO_IDENTITY)

    def targets(self, items: NDArray[np.int64]) -> Tensor | None:
        """The teacher's unit rows, if there is a teacher."""
        return None if self.teacher is None else torch.from_numpy(self.teacher.rows[items])

    def _batches(self, epoch: int, start: int) -> Iterator[NDArray[np.int64]]:
        """The batches of an epoch from ``start`` on: of one pass over the faces, or of the endless row of passes."""
        n_steps = self.recipe.epoch_steps
        if not n_steps:
            yield from itertools.islice(self.sampler.batches(epoch), start, None)
            return
        first = epoch * n_steps + start
        if first != self._taken:  # a run that is resumed
            passes = itertools.chain.from_iterable(map(self.sampler.batches, itertools.count()))
            self._row, self._taken = itertools.islice(passes, first, None), first
        for batch in itertools.islice(self._row, n_steps - start):
            self._taken += 1
            yield batch

    def _crops(self, items: NDArray[np.int64]) -> NDArray[np.uint8]:
        own = items[self.world.share(len(items))]
        return (
            self.faces.crops(own) if self.teacher is None else crops_of(self.faces, self.teacher.blends, own)
        )

    def _with_blends(self, batch: NDArray[np.int64], epoch: int, step_in_epoch: int) -> NDArray[np.int64]:
        n_known = len(self.teacher.blends) if self.teacher else 0
        share = self.recipe.distillation.blend_share
        n = min(n_known, round(len(batch) * share / (1 - share)))
        rng = np.random.default_rng((self.recipe.seed, epoch, step_in_epoch, 2))
        return (
            np.concatenate([batch, len(self.faces) + rng.choice(n_known, n, replace=False)]) if n else batch
        )

    def _offline(self, step: int, progress: float) -> tuple[NDArray[np.int64], Triplets]:
        mining = self.recipe.mining
        at = step % mining.every
        if at == 0 or not len(self.mined):
            self.mined = self.miner.mine(self.embed, step, progress)
        if not len(self.mined):
            raise TrainingError(
                f"step {step}: mining.rule found no triplet among {mining.pool} faces, nothing is left to learn "
                "from; raise mining.pool or mining.margin"
            )
        return self.miner.batch(self.mined, at)
