"""Embedders trained side by side on the same changed pictures: where a teacher has each of them, how another has
pairs, who is who, and that two unnamed faces are two people; some finish by triplets alone. The schedule goes by the
clock; one GPU is enough.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from facespace.training.augment import Augmentation, resize_images, to_input
from facespace.training.distillation import distillation_loss
from facespace.training.losses import triplet_loss
from facespace.training.mining import mine
from facespace.training.optimisers import decay_groups, make_optimiser, take_step, update_average
from facespace.training.recipe import Optimiser
from lab.embedder.faces import BatchDraw, FacePool
from lab.embedder.head import LOSSES, LossWeights, head_loss
from lab.embedder.network import Embedding

CHUNK = 512
AVERAGE_EVERY = 4
REPORTS = 5
# Shares of blends that are one face as it is, and whose first face is from a crowd.
UNBLENDED, OF_CROWDS = 0.3, 0.25
RELATIONS = 10.0  # weight of the second teacher's pairs
OPTIMISER = Optimiser(learning_rate=2e-3, weight_decay=0.05, warmup=0.03, decay=0.75, ema=0.999)
AUGMENTATION = Augmentation(
    shift=0.05, zoom=0.08, rotation_deg=8.0, brightness=0.25, contrast=0.3, blur=0.1, low_resolution=0.1, jpeg=0.1,
    grey=0.05, erase=0.05,
)  # fmt: skip


@dataclass(frozen=True)
class TrainRecipe:
    """How embedders are trained.

    Attributes:
        minutes: of the clock.
        optimiser: and how the learning rate goes over the minutes.
        by_label: faces a batch whose labels count.
        blends: pictures a batch, beside these, that are blends of two faces, or one face as it is.
        losses: what else counts how much.
        augmentation: of all pictures; teachers see them moved and coloured, and not degraded.
        seed: of the draws.
    """

    minutes: float
    optimiser: Optimiser = OPTIMISER
    by_label: int = 480
    blends: int = 512
    losses: LossWeights = LOSSES
    augmentation: Augmentation = AUGMENTATION
    seed: int = 0


@dataclass(frozen=True)
class Student:
    """A network that learns, and from how much.

    Attributes:
        network: pictures (N, 3, H, W) in [-1, 1] -> rows (N, D); has ``input_hw``.
        every: it learns from one batch in so many.
        blends: of a batch, at most.
        triplets_from: the part of the run, in [0, 1], from which on it learns by triplets alone (paper, section 3.1).
    """

    network: nn.Module
    every: int = 1
    blends: int = 1_000_000
    triplets_from: float = 1.0

    @property
    def input_hw(self) -> tuple[int, int]:
        """Rows and columns that it takes."""
        height, width = self.network.input_hw  # type: ignore[misc]
        return int(height), int(width)


@dataclass(frozen=True)
class Targets:
    """What the teachers say of a pool's N faces: unit rows (N, D) and (N, E), zero where they are not needed."""

    vectors: Tensor
    pairs: Tensor


@dataclass(frozen=True)
class _Batch:
    """What students learn from at a step: n faces by label, then blends.

    Attributes:
        views: what they see, float32 in [-1, 1], shape (N, 3, H, W).
        labels: int64, shape (n,).
        unnamed: bool, shape (n,).
        targets: unit rows of the first teacher, shape (N, D).
        known: indices of labelled faces of the n.
        pairs: unit rows of the second teacher of these.
    """

    views: Tensor
    labels: Tensor
    unnamed: Tensor
    targets: Tensor
    known: Tensor
    pairs: Tensor


def train(
    students: dict[str, Student],
    pool: FacePool,
    vectors: nn.Module,
    targets: Targets,
    recipe: TrainRecipe,
    *,
    device: str = "cpu",
    report: Callable[[dict[str, nn.Module], float, dict[str, float]], None] = lambda *_: None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, nn.Module]:
    """Train all ``students`` on the faces of ``pool`` that are not set aside.

    Args:
        students: by name; their networks are changed and moved to ``device``.
        pool: N faces.
        vectors: the first teacher, on ``device``, which is asked about every blend.
        targets: what both teachers say of the faces.
        recipe: how.
        device: of torch.
        report: called a few times with the averaged networks, the minutes and the latest losses.
        clock: seconds.

    Returns:
        The averaged networks, in evaluation mode.
    """
    draw = _Draw(pool, vectors, targets, recipe, device)
    runs = {name: _Run(student, recipe, device) for name, student in students.items()}
    begun, reported, step = clock(), 0.0, 0
    while (progress := (clock() - begun) / 60 / recipe.minutes) < 1:
        batch = draw()
        views: dict[tuple[int, int], Tensor] = {}
        for run in runs.values():
            size_hw = run.student.input_hw
            if step % run.student.every == 0:
                if size_hw not in views:
                    views[size_hw] = resize_images(batch.views, size_hw)
                run.learn(views[size_hw], batch, progress)
        step += 1
        if progress - reported >= 1 / REPORTS:
            reported = progress
            losses = {name: float(run.loss) for name, run in runs.items()} | {"steps": float(step)}
            report({name: run.average for name, run in runs.items()}, progress * recipe.minutes, losses)
    return {name: run.average for name, run in runs.items()}


class _Run:
    """One student, its average and its optimiser."""

    def __init__(self, student: Student, recipe: TrainRecipe, device: str) -> None:
        self.student, self.recipe, self.step = student, recipe, 0
        network = student.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network: nn.Module = network.train()
        self.average = copy.deepcopy(self.network).eval()
        self.generator = torch.Generator(device).manual_seed(recipe.seed)
        groups = decay_groups(self.network)
        self.optimiser = make_optimiser(recipe.optimiser, groups, fused=device != "cpu")
        self.loss = torch.zeros(())

    def learn(self, views: Tensor, batch: _Batch, progress: float) -> None:
        """One step of the optimiser."""
        n = len(batch.labels)
        by_triplets = progress >= self.student.triplets_from
        views = views[:n] if by_triplets else views[: n + self.student.blends]
        with torch.autocast(views.device.type, torch.bfloat16):
            rows = self.network(views)
        rows = F.normalize(rows.float(), dim=1)
        loss = self._triplet_loss(rows, batch) if by_triplets else self._loss(rows, batch)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        take_step(self.optimiser, self.recipe.optimiser, progress)
        self.loss = loss.detach()
        self.step += 1
        if self.step % AVERAGE_EVERY == 0:
            # Early on the average follows closely, or it would keep the start for long.
            decay = min(self.recipe.optimiser.ema**AVERAGE_EVERY, self.step / (10 + self.step))
            update_average(self.average, self.network, decay)

    def _loss(self, rows: Tensor, batch: _Batch) -> Tensor:
        n = len(batch.labels)
        faces, losses = rows[:n], self.recipe.losses
        loss = head_loss(faces, batch.labels, batch.unnamed, batch.targets[:n], losses)
        loss = loss + distillation_loss(rows[n:], batch.targets[n : len(rows)], vectors=losses.vectors)
        return loss + distillation_loss(faces[batch.known], batch.pairs, vectors=0.0, relations=RELATIONS)

    def _triplet_loss(self, faces: Tensor, batch: _Batch) -> Tensor:
        triplets = mine(faces.detach(), batch.labels, generator=self.generator, rule="semi-hard")
        return triplet_loss(faces, triplets).loss


class _Draw:
    """The batches of a run; all pictures and what teachers say of them lie on the device."""

    def __init__(
        self, pool: FacePool, vectors: nn.Module, targets: Targets, recipe: TrainRecipe, device: str
    ) -> None:
        self.recipe, self.device = recipe, device
        self.rng = np.random.default_rng(recipe.seed)
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.crops = torch.from_numpy(pool.crops).to(device)
        self.labels = torch.from_numpy(pool.labels).to(device)
        self.unnamed = torch.from_numpy(pool.source == "more").to(device)
        self.is_known = np.isin(pool.source, ("train", "fiw"))
        self.every = np.flatnonzero(~pool.dev)
        self.crowd = np.flatnonzero(pool.source == "crowd")
        self.people = np.setdiff1d(self.every, self.crowd)
        self.vectors = vectors
        self.targets, self.pairs = targets.vectors.to(device), targets.pairs.to(device)
        self.by_label = BatchDraw(
            pool,
            people=dict.fromkeys(("train", "fiw"), recipe.by_label // 20),
            faces_each=4,
            others=recipe.by_label // 4,
            pools=2,
            from_pool=recipe.by_label // 5,
        )

    def __call__(self) -> _Batch:
        chosen, recipe, rng = self._filled(self.by_label(self.rng)), self.recipe, self.rng
        first, second = (rng.choice(self.every, recipe.blends) for _ in range(2))
        if len(self.crowd):
            among = rng.random(recipe.blends) < OF_CROWDS
            first[among] = rng.choice(self.crowd, int(among.sum()))
        share = np.where(rng.random(recipe.blends) < UNBLENDED, 1.0, rng.uniform(0.5, 1, recipe.blends))
        share_of = self._moved(share.astype(np.float32))[:, None, None, None]
        i, j, k = (self._moved(idx) for idx in (chosen, first, second))
        blends = to_input(self.crops[j]) * share_of + to_input(self.crops[k]) * (1 - share_of)
        size_hw = (self.crops.shape[1], self.crops.shape[2])
        views = recipe.augmentation.vary(
            torch.cat([to_input(self.crops[i]), blends]), self.generator, size_hw
        )
        views = views.contiguous(memory_format=torch.channels_last)
        of_blends = _ask(self.vectors, views[len(i) :])
        known = self._moved(np.flatnonzero(self.is_known[chosen]))
        return _Batch(
            recipe.augmentation.degrade(views, self.generator),
            self.labels[i],
            self.unnamed[i],
            torch.cat([self.targets[i], of_blends]),
            known,
            self.pairs[i[known]],
        )

    def _filled(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Always as many: cuDNN plans each new shape anew."""
        n = self.recipe.by_label
        further = np.setdiff1d(self.rng.choice(self.people, n), chosen)
        drawn = np.concatenate([chosen, self.rng.permutation(further)])[:n]
        return np.sort(drawn)

    def _moved(self, values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(values).to(self.device, non_blocking=True)


@torch.no_grad()
def embed_by(network: nn.Module, crops: Tensor, *, flip: bool = True) -> Tensor:
    """Unit rows (N, D) of pictures, and their mirror images together; uint8 RGB ``crops`` (N, H, W, 3)."""
    device = next(network.parameters()).device
    rows = []
    for start in range(0, len(crops), CHUNK):
        part = crops[start : start + CHUNK]
        x = to_input(part.to(device), getattr(network, "input_hw", None))
        sides = [x, x.flip(3)] if flip else [x]
        rows.append(F.normalize(torch.stack([_ask(network, side) for side in sides]).sum(0), dim=1).cpu())
    return torch.cat(rows)


@torch.no_grad()
def trunk_features(network: Embedding, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the head of a network takes of N pictures and of their mirror images; shape (2, N, F).

    Args:
        network: in evaluation mode.
        crops: uint8 RGB, shape (N, H, W, 3), N at least one.
    """
    sides: tuple[list[Tensor], list[Tensor]] = ([], [])
    for start in range(0, len(crops), CHUNK):
        x = to_input(torch.from_numpy(crops[start : start + CHUNK]), network.input_hw)
        with torch.autocast("cpu", torch.bfloat16):
            for side, pictures in zip(sides, (x, x.flip(3)), strict=True):
                side.append(network.trunk(pictures).float())
    return torch.stack([torch.cat(side) for side in sides]).numpy()


@torch.no_grad()
def _ask(network: nn.Module, pictures: Tensor) -> Tensor:
    """Unit rows (N, D), worked out in half precision."""
    kind = pictures.device.type
    with torch.autocast(kind, torch.bfloat16 if kind == "cpu" else torch.float16):
        rows = network(pictures.contiguous(memory_format=torch.channels_last))
    return F.normalize(rows.float(), dim=1)
