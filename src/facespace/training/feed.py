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
from facespace.training.distillation import Lessons
from facespace.training.mining import Triplets
from facespace.training.objective import NO_IDENTITY, stage_of
from facespace.training.offline import OfflineMiner
from facespace.training.parallel import World
from facespace.training.recipe import Recipe
from facespace.training.sampler import TripletSampler

__all__ = ["Feed", "Portion"]


@dataclass(frozen=True)
class Portion:
    """One step's pictures.

    Attributes:
        items: int64, shape (N,): indices of faces, or -1 - index of a blend; of all ranks together.
        crops: uint8 RGB, shape (n, H, W, 3), of this rank's share of ``items``.
        triplets: mined offline, indexing ``items``; None where the batch itself is mined.
    """

    items: NDArray[np.int64]
    crops: NDArray[np.uint8]
    triplets: Triplets | None = None


class Feed:
    """The steps of a run, in an order that the seed and the place in the run decide.

    Args:
        recipe: batches, mining and blends.
        faces: to train on.
        lessons: the teacher's embeddings of them, if there is a teacher.
        world: which share of a batch is this process's.
        embed: face indices -> unit rows of the newest weights, for offline mining.
    """

    def __init__(
        self,
        recipe: Recipe,
        faces: Faces,
        lessons: Lessons | None,
        world: World,
        embed: Callable[[NDArray[np.int64]], Tensor],
    ) -> None:
        self.recipe, self.faces, self.lessons, self.world, self.embed = recipe, faces, lessons, world, embed
        b, seed = recipe.batches, recipe.seed
        self.sampler = TripletSampler(faces.labels, b.batch_size, b.faces_per_identity, b.anchor_share, seed)
        self.miner = OfflineMiner(
            faces.labels,
            recipe.mining,
            batch_size=b.batch_size,
            faces_per_identity=b.faces_per_identity,
            seed=seed,
        )
        self.mined = np.zeros((0, 3), np.int64)

    def n_steps(self, epoch: int) -> int:
        """Steps of an epoch: each face is an anchor about once, or, mined offline, as many as fill it once."""
        if self.recipe.epoch_steps:
            return self.recipe.epoch_steps
        if self.recipe.mining.every:
            return max(1, len(self.faces) // self.recipe.batches.batch_size)
        return self.sampler.n_batches(epoch)

    def portions(self, epoch: int, *, start: int, step: int) -> Iterator[Portion]:
        """The portions of an epoch from its step ``start`` on, where ``step`` is that step's number in the run."""
        n_steps = self.n_steps(epoch)
        if self.recipe.mining.every:  # nothing is loaded ahead: what comes next depends on the weights
            for i in range(start, n_steps):
                items, triplets = self._offline(step + i - start, (epoch + i / n_steps) / self.recipe.epochs)
                yield Portion(items, self._crops(items), triplets)
            return
        batches = enumerate(self._batches(epoch))
        items_of = (self._with_blends(b, epoch, i) for i, b in itertools.islice(batches, start, None))
        for items, crops in prefetched(items_of, self._crops):
            yield Portion(items, crops)

    def labels(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """Identities, NO_IDENTITY for blends."""
        return np.where(items >= 0, self.faces.labels[np.maximum(items, 0)], NO_IDENTITY)

    def targets(self, items: NDArray[np.int64]) -> Tensor | None:
        """The teacher's unit rows, if there is a teacher."""
        if self.lessons is None:
            return None
        rows = self.lessons.targets[np.maximum(items, 0)]
        rows[items < 0] = self.lessons.blends.targets[-1 - items[items < 0]]
        return torch.from_numpy(rows)

    def _batches(self, epoch: int) -> Iterator[NDArray[np.int64]]:
        """One pass over the faces, or the epoch's steps of an endless row of passes."""
        n_steps = self.recipe.epoch_steps
        if not n_steps:
            return self.sampler.batches(epoch)
        endless = itertools.chain.from_iterable(self.sampler.batches(i) for i in itertools.count())
        return itertools.islice(endless, epoch * n_steps, (epoch + 1) * n_steps)

    def _crops(self, items: NDArray[np.int64]) -> NDArray[np.uint8]:
        own = items[self.world.share(len(items))]
        crops = self.faces.crops(own[own >= 0])
        if self.lessons is None or (own >= 0).all():
            return crops
        together = np.empty((len(own), *crops.shape[1:]), np.uint8)
        together[own >= 0] = crops
        together[own < 0] = self.lessons.blends.crops(self.faces, -1 - own[own < 0])
        return together

    def _with_blends(self, batch: NDArray[np.int64], epoch: int, step_in_epoch: int) -> NDArray[np.int64]:
        n_known = len(self.lessons.blends) if self.lessons else 0
        share = self.recipe.distillation.blend_share
        n = min(n_known, round(len(batch) * share / (1 - share)))
        rng = np.random.default_rng((self.recipe.seed, epoch, step_in_epoch, 2))
        return np.concatenate([batch, -1 - rng.choice(n_known, n, replace=False)]) if n else batch

    def _offline(self, step: int, progress: float) -> tuple[NDArray[np.int64], Triplets]:
        mining = self.recipe.mining
        at = step % mining.every
        if at == 0 or not len(self.mined):
            rule, pairs = stage_of(mining, progress)
            self.mined = self.miner.mine(self.embed, step, rule=rule, pairs=pairs)
        batches = list(self.miner.batches(self.mined))
        if not batches:
            raise TrainingError(
                f"step {step}: mining.rule found no triplet among {mining.pool} faces, nothing is left to learn "
                "from; raise mining.pool or mining.margin"
            )
        return batches[at % len(batches)]
