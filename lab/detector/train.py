"""Train the detector: pictures from one worker process, one optimiser, a log, checkpoints that resume."""

import copy
import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from facespace.training.health import check_loss
from facespace.training.optimisers import (
    decay_groups,
    learning_rate_at,
    make_optimiser,
    set_learning_rate,
    update_average,
)
from facespace.training.processor import has_bfloat16
from facespace.training.recipe import Optimiser
from facespace.training.run_folder import read_state, write_state
from lab.detector.data import DataOptions, Sources, pictures
from lab.detector.export import averaged_weights, unfold_norms
from lab.detector.network import DetectorNetwork, NetworkOptions
from lab.detector.targets import Batch, LossOptions, detection_loss

OPTIMISER = Optimiser(learning_rate=3e-3, schedule="one-cycle", warmup=0.03, weight_decay=1e-2, clip=10.0)
NORM_PICTURES = 64  # to fit the norms of exported weights to


@dataclass(frozen=True)
class DetectorRecipe:
    """Everything that decides a run. Time ends it, not steps, so that a slow machine still finishes."""

    minutes: float = 53.0
    stop_minutes: float | None = None  # end a part of the run here; the next part goes on
    batch_size: int = 16
    optimiser: Optimiser = OPTIMISER
    seed: int = 0
    threads: int = 1
    checkpoint_minutes: float = 2.0
    log_every: int = 50
    network: NetworkOptions = field(default_factory=NetworkOptions)
    data: DataOptions = field(default_factory=DataOptions)
    loss: LossOptions = field(default_factory=LossOptions)


class _Pictures(IterableDataset[tuple[NDArray[np.uint8], ...]]):
    def __init__(self, sources: Sources, options: DataOptions, seed: int) -> None:
        self.sources, self.options, self.seed = sources, options, seed

    def __iter__(self) -> Iterator[Any]:
        torch.set_num_threads(1)
        return pictures(self.sources, self.options, np.random.default_rng(self.seed))


def _collate(samples: list[Any]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    most = max(1, *(len(kind) for *_, kind in samples))
    n = len(samples)
    pixels = torch.from_numpy(np.stack([pixels for pixels, *_ in samples]))
    boxes, landmarks = torch.zeros(n, most, 4), torch.zeros(n, most, 5, 2)
    kinds = torch.zeros(n, most, dtype=torch.int64)
    for row, (_, box, landmark, kind) in enumerate(samples):
        boxes[row, : len(kind)] = torch.from_numpy(box)
        landmarks[row, : len(kind)] = torch.from_numpy(landmark)
        kinds[row, : len(kind)] = torch.from_numpy(kind)
    return pixels, boxes, landmarks, kinds


class _Run:
    """State of one training run, as saved in a checkpoint."""

    def __init__(self, recipe: DetectorRecipe) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.network = DetectorNetwork(recipe.network)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network)
        self.optimiser = make_optimiser(recipe.optimiser, decay_groups(self.network))
        self.step, self.seconds = 0, 0.0

    def save(self, path: Path) -> None:
        write_state(path, {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "options": asdict(self.recipe.network),
        })  # fmt: skip

    def load(self, path: Path) -> None:
        state = read_state(path)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(averaged_weights(state))
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds = state["step"], state["seconds"]

    def begin_with(self, model: Path, sources: Sources) -> None:
        """The weights of an exported detector, with norms that fit the training pictures."""
        stream = pictures(sources, self.recipe.data, np.random.default_rng(self.recipe.seed))
        pixels = np.stack([next(stream)[0] for _ in range(NORM_PICTURES)])
        self.network.load_state_dict(unfold_norms(model, self.recipe.network, torch.from_numpy(pixels)))
        self.average.load_state_dict(self.network.state_dict())

    def learn(self, batch: Batch) -> tuple[float, dict[str, float]]:
        """One step of the optimiser."""
        options = self.recipe.optimiser
        rate = learning_rate_at(options, self.seconds / (60 * self.recipe.minutes))
        set_learning_rate(self.optimiser, rate)
        pixels = batch.pixels.float()
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16("cpu")):
            maps = self.network(pixels)
        loss, parts = detection_loss(maps, batch, self.recipe.loss)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), options.clip).item()
        check_loss(self.step, loss.item(), norm)
        self.optimiser.step()
        update_average(self.average, self.network, options.ema)
        self.step += 1
        return loss.item(), parts


def train_detector(
    sources: Sources, folder: Path, recipe: DetectorRecipe = DetectorRecipe(), *, init: Path | None = None
) -> Path:
    """Train for ``recipe.minutes`` on ``sources``; returns the last checkpoint.

    Begins with the weights of ``init``, an exported detector of the same network, where one is given.

    ``folder`` receives log.jsonl and last.pt; run again after an interruption to resume.

    Raises:
        TrainingError: the loss is not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(recipe.threads)
    run, checkpoint = _Run(recipe), folder / "last.pt"
    if checkpoint.exists():
        run.load(checkpoint)
    elif init is not None:
        run.begin_with(init, sources)
    loader = DataLoader(
        _Pictures(sources, recipe.data, recipe.seed + run.step),
        batch_size=recipe.batch_size,
        num_workers=1,
        collate_fn=_collate,
        prefetch_factor=4,
    )
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        _loop(run, loader, checkpoint, log)
    run.save(checkpoint)
    return checkpoint


def _loop(run: _Run, loader: "DataLoader[Any]", checkpoint: Path, log: Any) -> None:
    run.network.train()
    saved = started = time.monotonic() - run.seconds
    recent: list[dict[str, float]] = []
    for pixels, boxes, landmarks, kinds in loader:
        batch = Batch(pixels.permute(0, 3, 1, 2), boxes, landmarks, kinds)
        loss, parts = run.learn(batch)
        recent.append({"loss": loss, **parts})
        run.seconds = time.monotonic() - started
        if run.step % run.recipe.log_every == 0:
            _write(log, run, recent)
            recent.clear()
        if run.seconds - (saved - started) > 60 * run.recipe.checkpoint_minutes:
            run.save(checkpoint)
            saved = time.monotonic()
        if run.seconds > 60 * min(run.recipe.minutes, run.recipe.stop_minutes or math.inf):
            return


def _write(log: Any, run: _Run, recent: list[dict[str, float]]) -> None:
    means = {key: round(float(np.mean([r[key] for r in recent])), 4) for key in recent[0]}
    rate = run.step * run.recipe.batch_size / max(run.seconds, 1e-9)
    line = {"step": run.step, "seconds": round(run.seconds, 1), "images_per_s": round(rate, 1), **means}
    log.write(json.dumps(line) + "\n")
    log.flush()
