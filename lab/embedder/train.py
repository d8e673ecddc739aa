"""The convolutions of an embedder trained further: where a teacher has each face and blend, how another has pairs of
them, who is who, and that two unnamed faces are two people. The schedule goes by the clock."""

import copy
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facespace.training.augment import Augmentation, to_input
from facespace.training.distillation import Blends, distillation_loss
from facespace.training.frozen import Crops
from facespace.training.optimisers import (
    decay_groups,
    learning_rate_at,
    make_optimiser,
    set_learning_rate,
    update_average,
)
from facespace.training.recipe import Optimiser
from facespace.training.run_folder import read_state, write_state
from lab.embedder.faces import BatchDraw, FacePool
from lab.embedder.head import LossWeights, head_loss
from lab.embedder.network import Embedding

__all__ = ["Targets", "TrunkRecipe", "train_trunk", "trunk_features"]

CHUNK = 256
BLENDS = 36  # a batch, beside some 100 faces
N_LOSSES = 100


@dataclass(frozen=True)
class TrunkRecipe:
    """How convolutions are trained.

    Attributes:
        minutes: of the clock.
        optimiser: and how the learning rate goes over the minutes.
        relations: weight of the second teacher's pairs.
        losses: what else counts how much.
        augmentation: of all pictures.
        seed: of the draws.
    """

    minutes: float
    optimiser: Optimiser = field(
        default_factory=lambda: Optimiser(learning_rate=1.5e-3, weight_decay=0.05, decay=0.7)
    )
    relations: float = 10.0
    losses: LossWeights = field(default_factory=LossWeights)
    augmentation: Augmentation = field(
        default_factory=lambda: Augmentation(
            shift=0.05, zoom=0.08, rotation_deg=8.0, brightness=0.25, contrast=0.3, blur=0.1,
            low_resolution=0.1, jpeg=0.1, grey=0.05, erase=0.05,
        )
    )  # fmt: skip
    seed: int = 0


@dataclass(frozen=True)
class Targets:
    """What the teachers say.

    Attributes:
        faces: unit rows (N, D), where the first has each face.
        blends: the blends.
        of_blends: unit rows (M, D), where the first has each blend.
        pairs: unit rows (K, E) by the second, of the first K faces, which are the labelled ones.
    """

    faces: NDArray[np.float32]
    blends: Blends
    of_blends: NDArray[np.float32]
    pairs: NDArray[np.float32]


def train_trunk(
    network: Embedding,
    pool: FacePool,
    crops: NDArray[np.uint8],
    targets: Targets,
    run: Path,
    recipe: TrunkRecipe,
    *,
    report: Callable[[Embedding, float, float], None],
    report_every_s: float = 300.0,
    clock: Callable[[], float] = time.monotonic,
) -> Embedding:
    """Train ``network`` on the faces that are not set aside; goes on from ``run`` where that has a state.

    Args:
        network: is changed.
        pool: N faces.
        crops: uint8 RGB (N, H, W, 3).
        targets: what the teachers say.
        run: a folder, for the state.
        recipe: how.
        report: called with the averaged network, the minutes and the mean loss of the last steps.
        report_every_s: seconds between two calls; the state is kept then.
        clock: seconds.

    Returns:
        The averaged network, in evaluation mode.
    """
    averaged = copy.deepcopy(network).eval()
    optimiser = make_optimiser(recipe.optimiser, decay_groups(network))
    spent, state = 0.0, run / "state.pt"
    losses: deque[float] = deque(maxlen=N_LOSSES)
    if state.is_file():
        kept = read_state(state)
        network.load_state_dict(kept["network"])
        averaged.load_state_dict(kept["averaged"])
        optimiser.load_state_dict(kept["optimiser"])
        spent = kept["seconds"]
    rng = np.random.default_rng((recipe.seed, int(spent)))
    generator = torch.Generator().manual_seed(recipe.seed + int(spent))
    draw = BatchDraw(pool, people={"train": 7, "fiw": 5}, faces_each=4, others=28, pools=2, from_pool=14)
    begun, told = clock() - spent, spent
    while (spent := clock() - begun) < 60 * recipe.minutes:
        set_learning_rate(optimiser, learning_rate_at(recipe.optimiser, spent / 60 / recipe.minutes))
        loss = _step_loss(network.train(), pool, crops, draw(rng), targets, recipe, rng, generator)
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        update_average(averaged, network, recipe.optimiser.ema)
        if spent - told > report_every_s:
            told = spent
            report(averaged, spent / 60, float(np.mean(losses)))
            write_state(
                state,
                {"network": network.state_dict(), "averaged": averaged.state_dict(),
                 "optimiser": optimiser.state_dict(), "seconds": spent},
            )  # fmt: skip
    return averaged


@torch.no_grad()
def trunk_features(network: Embedding, crops: Crops, n: int) -> NDArray[np.float32]:
    """What the head of a network in evaluation mode takes of n pictures and of their mirror images; shape (2, n, F).

    Args:
        network: of any input size.
        crops: indices (k,) -> uint8 RGB (k, H, W, 3).
        n: pictures, at least one.
    """
    sides: tuple[list[Tensor], list[Tensor]] = ([], [])
    for start in range(0, n, CHUNK):
        x = to_input(torch.from_numpy(crops(np.arange(start, min(start + CHUNK, n)))), network.input_hw)
        with torch.autocast("cpu", torch.bfloat16):
            for side, pictures in zip(sides, (x, x.flip(3)), strict=True):
                side.append(network.trunk(pictures).float())
    return torch.stack([torch.cat(side) for side in sides]).numpy()


def _step_loss(
    network: Embedding,
    pool: FacePool,
    crops: NDArray[np.uint8],
    chosen: NDArray[np.int64],
    targets: Targets,
    recipe: TrunkRecipe,
    rng: np.random.Generator,
    generator: torch.Generator,
) -> Tensor:
    blended = rng.choice(len(targets.blends), min(BLENDS, len(targets.blends)), replace=False)
    pictures = np.concatenate([crops[chosen], targets.blends.crops(crops.__getitem__, blended)])
    with torch.autocast("cpu", torch.bfloat16):
        rows = network(recipe.augmentation(torch.from_numpy(pictures), generator, size_hw=network.input_hw))
    faces = rows[: len(chosen)]
    loss = head_loss(faces, pool, chosen, torch.from_numpy(targets.faces[chosen]), recipe.losses)
    of_blends = torch.from_numpy(targets.of_blends[blended])
    loss = loss + distillation_loss(rows[len(chosen) :], of_blends, vectors=recipe.losses.vectors)
    known = chosen < len(targets.pairs)
    wanted = torch.from_numpy(targets.pairs[chosen[known]])
    mine = faces[torch.from_numpy(known)]
    return loss + distillation_loss(mine, wanted, vectors=0.0, relations=recipe.relations)
