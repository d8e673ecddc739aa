"""Train the detector: pictures from worker processes, one optimiser, a log, checkpoints that resume."""

import copy
import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from facespace.training.health import check_loss
from facespace.training.optimisers import decay_groups, make_optimiser, take_step, update_average
from facespace.training.processor import has_bfloat16
from facespace.training.recipe import Optimiser
from facespace.training.run_folder import read_state, write_state
from lab.detector.export import read_network
from lab.detector.labels import Pool
from lab.detector.network import UNITS, WIDTHS, DetectorNetwork
from lab.detector.pictures import Pictures, Sample
from lab.detector.targets import Truth, detection_loss, stack_labels

NORM_PICTURES = 64  # to fit the norms of exported weights to
CHECKPOINT_SECONDS = 60.0
OPTIMISER = Optimiser(
    learning_rate=2.5e-3, schedule="one-cycle", warmup=0.03, weight_decay=1e-2, clip=10.0, ema=0.999
)


@dataclass(frozen=True)
class DetectorRecipe:
    """Everything that decides a run. Time ends it, not steps, so that a slow machine still finishes."""

    minutes: float = 100.0
    batch_size: int = 16
    canvas_px: int = 320
    log_every: int = 50
    optimiser: Optimiser = OPTIMISER
    widths: tuple[int, ...] = WIDTHS
    units: tuple[int, ...] = UNITS
    device: str = "cpu"
    workers: int = 1


def _batch(samples: list[Sample]) -> tuple[Tensor, Truth]:
    """Pictures (B, H, W, 3) and their labels."""
    return torch.from_numpy(np.stack([pixels for pixels, _ in samples])), stack_labels(
        [of for _, of in samples]
    )


class _Run:
    """State of one training run, as saved in a checkpoint."""

    def __init__(self, recipe: DetectorRecipe) -> None:
        torch.manual_seed(0)
        self.recipe = recipe
        self.network = DetectorNetwork(recipe.widths, recipe.units)
        self.network.to(recipe.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network)
        self.optimiser = make_optimiser(recipe.optimiser, decay_groups(self.network))
        self.step, self.seconds = 0, 0.0

    def save(self, path: Path) -> None:
        write_state(path, {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "place": (self.step, self.seconds),
            "widths": self.recipe.widths,
            "units": self.recipe.units,
        })  # fmt: skip

    def load(self, path: Path) -> None:
        state = read_state(path)
        for name in ("network", "average", "optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.step, self.seconds = state["place"]

    def begin_with(self, model: Path, pictures: Pictures) -> None:
        """The weights of an exported detector, with norms that fit the training pictures."""
        pixels, _ = _batch(list(itertools.islice(pictures, NORM_PICTURES)))
        network = read_network(model, pixels, self.recipe.widths, self.recipe.units)
        self.network.load_state_dict(network.state_dict())
        self.average.load_state_dict(self.network.state_dict())

    def learn(self, pixels: Tensor, truth: Truth) -> dict[str, Tensor]:
        """One step of the optimiser; returns the loss and its parts."""
        device, progress = self.recipe.device, self.seconds / (60 * self.recipe.minutes)
        pixels = pixels.to(device, non_blocking=True)
        with torch.autocast(device, torch.bfloat16, enabled=has_bfloat16(device)):
            maps = self.network(pixels.permute(0, 3, 1, 2).float())
        loss, parts = detection_loss(maps, truth.to(device))
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        length = take_step(self.optimiser, self.recipe.optimiser, progress)
        check_loss(self.step, loss.item(), length.item())
        update_average(self.average, self.network, self.recipe.optimiser.ema)
        self.step += 1
        return parts


def train_detector(
    pools: Mapping[str, Pool],
    folder: Path,
    recipe: DetectorRecipe = DetectorRecipe(),
    *,
    init: Path | None = None,
) -> Path:
    """Train for ``recipe.minutes``; returns the last checkpoint.

    Args:
        pools: what `Pictures` are cut from.
        folder: receives log.jsonl and last.pt; run again after an interruption to resume.
        recipe: how.
        init: an exported detector of the same network, to begin with its weights.

    Raises:
        TrainingError: the loss is not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    run, checkpoint = _Run(recipe), folder / "last.pt"
    if checkpoint.exists():
        run.load(checkpoint)
    pictures = Pictures(pools, np.random.default_rng(run.step), recipe.canvas_px)
    if run.step == 0 and init is not None:
        run.begin_with(init, pictures)
    loader = DataLoader(
        pictures,
        batch_size=recipe.batch_size,
        num_workers=recipe.workers,
        collate_fn=_batch,
        prefetch_factor=4,
        pin_memory=recipe.device != "cpu",
    )
    _loop(run, loader, folder / "log.jsonl", checkpoint)
    run.save(checkpoint)
    return checkpoint


def _loop(run: _Run, loader: "DataLoader[Any]", log: Path, checkpoint: Path) -> None:
    run.network.train()
    started, saved = time.monotonic() - run.seconds, run.seconds
    recent: list[dict[str, Tensor]] = []
    for pixels, truth in loader:
        recent.append(run.learn(pixels, truth))
        run.seconds = time.monotonic() - started
        if run.step % run.recipe.log_every == 0:
            means = {
                name: round(float(torch.stack([row[name] for row in recent]).mean()), 4) for name in recent[0]
            }
            recent.clear()
            line = {"step": run.step, "seconds": round(run.seconds, 1), **means}
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        if run.seconds - saved > CHECKPOINT_SECONDS:
            run.save(checkpoint)
            saved = run.seconds
        if run.seconds > 60 * run.recipe.minutes:
            return
