"""The training loop: sample, embed, mine, step, average, report, save.

A run folder holds `recipe.json` (resolved), `epochs.csv` (one row an epoch), `checkpoint.pt` (written beside,
then renamed) and, at the end, `model.pt` with the averaged weights.
"""

import csv
import dataclasses
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from facespace.errors import DataError, TrainingError
from facespace.metrics import all_pairs
from facespace.training.augment import to_input
from facespace.training.data import FaceFolder
from facespace.training.losses import triplet_loss
from facespace.training.mining import mine_semi_hard
from facespace.training.networks import build
from facespace.training.recipe import Recipe
from facespace.training.sampler import TripletSampler

__all__ = ["Epoch", "Trainer", "embed_crops"]

COLLAPSED_RANK = 2.0


@dataclass(frozen=True)
class Epoch:
    """What one epoch did; a row of `epochs.csv`.

    Attributes:
        active: share of anchor-positive pairs with a semi-hard negative.
        ap_dist: mean anchor-positive distance over the triplets.
        an_dist: mean anchor-negative distance over the triplets.
        rank: effective rank of a batch's embeddings (exp of the entropy of the covariance spectrum).
        tar: VAL at FAR 1e-3 on the validation faces (nan without them).
    """

    epoch: int
    loss: float
    active: float
    ap_dist: float
    an_dist: float
    rank: float
    grad_norm: float
    learning_rate: float
    tar: float
    faces_per_second: float
    seconds: float

    def line(self) -> str:
        """The epoch in a line."""
        return (
            f"epoch {self.epoch}: loss {self.loss:.4f}, active pairs {100 * self.active:.0f} %, "
            f"d_ap {self.ap_dist:.3f}, d_an {self.an_dist:.3f}, rank {self.rank:.1f}, "
            f"gradient {self.grad_norm:.2f}, VAL@FAR=1e-3 {100 * self.tar:.2f} %, {self.faces_per_second:.0f} faces/s"
        )


class Trainer:
    """One run in one folder; `run()` trains what is left of it.

    Args:
        recipe: what to train and how.
        faces: training pictures.
        out: the run folder; made if absent.
        validation: faces of other identities, embedded after each epoch.
        resume: go on from the folder's checkpoint instead of refusing a folder in use.

    Raises:
        DataError: the folder holds a run and ``resume`` is not set, or none and it is.
    """

    def __init__(
        self,
        recipe: Recipe,
        faces: FaceFolder,
        out: Path,
        *,
        validation: FaceFolder | None = None,
        resume: bool = False,
    ) -> None:
        self.recipe, self.faces, self.out, self.validation = recipe, faces, out, validation
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        torch.manual_seed(recipe.seed)
        self.network = build(recipe.network, dim=recipe.dim)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = build(recipe.network, dim=recipe.dim)
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(),
            weight_decay=recipe.optimiser.weight_decay,
            lr=recipe.optimiser.learning_rate,
        )
        self.sampler = TripletSampler(faces.labels, **dataclasses.asdict(recipe.batches), seed=recipe.seed)
        self.crops = torch.from_numpy(faces.crops)
        self.labels = torch.from_numpy(faces.labels)
        self.epoch = 0
        self.step = 0
        self._open_folder(resume)

    def run(
        self,
        *,
        on_step: Callable[[int, int, float], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> list[Epoch]:
        """Train what is left and write `model.pt`; ``on_step(step, n_steps, loss)`` and ``on_epoch`` follow along.

        Raises:
            TrainingError: the loss is not finite, or the embeddings collapsed.
        """
        done = []
        while self.epoch < self.recipe.epochs:
            done.append(self._run_epoch(on_step))
            self.epoch += 1
            self._write_row(done[-1])
            self._save()
            if on_epoch:
                on_epoch(done[-1])
            _check_health(done[-1])
        _write_beside(self.out / "model.pt", self._averaged_state())
        return done

    def _averaged_state(self) -> dict[str, Any]:
        return {
            "network": self.recipe.network,
            "dim": self.recipe.dim,
            "name": self.recipe.name,
            "version": self.recipe.version,
            "alignment": self.recipe.alignment,
            "weights": self.average.state_dict(),
        }

    def _run_epoch(self, on_step: Callable[[int, int, float], None] | None) -> Epoch:
        started = time.monotonic()
        generator = torch.Generator().manual_seed(self.recipe.seed * 100_003 + self.epoch)
        n_batches = self.sampler.n_batches(self.epoch)
        n_steps = n_batches * self.recipe.epochs
        self.network.train()
        sums, n_faces = np.zeros(5), 0
        embeddings = torch.zeros(0)
        for batch in self.sampler.batches(self.epoch):
            learning_rate = self._set_learning_rate(self.step / n_steps)
            embeddings, row = self._train_step(torch.from_numpy(batch), generator)
            sums += np.nan_to_num(row)
            n_faces += len(batch)
            self.step += 1
            if on_step:
                on_step(self.step, n_steps, row[0])
        seconds = time.monotonic() - started
        loss, active, ap_dist, an_dist, grad_norm = (float(x) for x in sums / n_batches)
        return Epoch(
            self.epoch, loss, active, ap_dist, an_dist, effective_rank(embeddings), grad_norm, learning_rate,
            self._validate(), n_faces / seconds, seconds,
        )  # fmt: skip

    def _train_step(self, batch: Tensor, generator: torch.Generator) -> tuple[Tensor, NDArray[np.float64]]:
        mining = self.recipe.mining
        images = self.recipe.augmentation(to_input(self.crops[batch]), generator)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bfloat16):
            raw = self.network(images)
        embeddings = F.normalize(raw.float(), dim=1)
        triplets = mine_semi_hard(
            embeddings.detach(), self.labels[batch], margin=mining.margin,
            negatives_per_pair=mining.negatives_per_pair,
            choice=mining.choice, generator=generator,
        )  # fmt: skip
        result = triplet_loss(embeddings, triplets, margin=mining.margin)
        if not math.isfinite(result.loss.item()):
            raise TrainingError(
                f"step {self.step}: the loss is {result.loss.item()}, expected a finite number; "
                "lower optimiser.learning_rate, then run again with --resume"
            )
        self.optimiser.zero_grad(set_to_none=True)
        result.loss.backward()  # type: ignore[no-untyped-call]
        grad_norm = nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        self._update_average()
        row = [result.loss.item(), result.active, result.ap_dist, result.an_dist, grad_norm.item()]
        return embeddings.detach(), np.array(row)

    def _set_learning_rate(self, progress: float) -> float:
        o = self.recipe.optimiser
        rise = progress / o.warmup if o.warmup else 1.0
        fall = (1.0 - progress) / o.decay if o.decay else 1.0
        learning_rate = o.learning_rate * max(0.0, min(1.0, rise, fall))
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        return learning_rate

    @torch.no_grad()
    def _update_average(self) -> None:
        # Early on the average follows closely, or it would keep the random start for long.
        decay = min(self.recipe.optimiser.ema, (1 + self.step) / (10 + self.step))
        averaged = self.average.state_dict()
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                averaged[name].lerp_(value, 1 - decay)
            else:
                averaged[name].copy_(value)

    def _validate(self) -> float:
        if self.validation is None:
            return math.nan
        embeddings = embed_crops(self.average, self.validation.crops, bfloat16=self.recipe.bfloat16)
        tar = all_pairs(embeddings, self.validation.labels, fars=(1e-3,))[0].tar
        return math.nan if tar is None else tar

    def _open_folder(self, resume: bool) -> None:
        checkpoint = self.out / "checkpoint.pt"
        if checkpoint.exists() and not resume:
            raise DataError(f"{self.out}: holds a run already; go on with --resume, or name another folder")
        if resume and not checkpoint.exists():
            raise DataError(f"{checkpoint}: expected a checkpoint to resume from, there is none")
        self.out.mkdir(parents=True, exist_ok=True)
        resolved = {
            **dataclasses.asdict(self.recipe),
            "torch": torch.__version__,
            "n_faces": len(self.labels),
        }
        (self.out / "recipe.json").write_text(json.dumps(resolved, indent=2) + "\n", encoding="utf-8")
        if resume:
            self._load(checkpoint)

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
        }
        _write_beside(self.out / "checkpoint.pt", state)

    def _load(self, checkpoint: Path) -> None:
        state = torch.load(checkpoint, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.epoch, self.step = state["epoch"], state["step"]

    def _write_row(self, epoch: Epoch) -> None:
        path = self.out / "epochs.csv"
        row = dataclasses.asdict(epoch)
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            if new:
                writer.writeheader()
            writer.writerow({k: f"{v:.6g}" for k, v in row.items()})


@torch.no_grad()
def embed_crops(
    network: nn.Module, crops: NDArray[np.uint8], *, batch_size: int = 256, bfloat16: bool = False
) -> NDArray[np.float32]:
    """Unit embeddings (N, D) of uint8 crops (N, H, W, 3) by a torch network in evaluation mode."""
    network.eval()
    rows = []
    for chunk in torch.split(torch.from_numpy(crops), batch_size):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            raw = network(to_input(chunk).contiguous(memory_format=torch.channels_last))
        rows.append(F.normalize(raw.float(), dim=1))
    return torch.cat(rows).numpy()


def effective_rank(embeddings: Tensor) -> float:
    """exp(entropy) of the normalised spectrum of the covariance of (N, D) embeddings: 1 when collapsed."""
    spectrum = torch.linalg.svdvals((embeddings - embeddings.mean(0)).double()).square()
    share = spectrum / spectrum.sum().clamp_min(1e-30)
    return float(torch.exp(-(share * share.clamp_min(1e-30).log()).sum()))


def _check_health(epoch: Epoch) -> None:
    if epoch.rank < COLLAPSED_RANK:
        raise TrainingError(
            f"epoch {epoch.epoch}: the embeddings collapsed (effective rank {epoch.rank:.1f}); "
            "lower optimiser.learning_rate or raise batches.batch_size"
        )


def _write_beside(path: Path, state: dict[str, Any]) -> None:
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)
