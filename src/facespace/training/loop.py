"""The training loop: sample, embed, mine, step, average, report, save.

Every draw is seeded by the run's seed and the place in the run, and a checkpoint holds everything else. A run that is
killed anywhere and resumed therefore ends at the same bits on the same processor.
"""

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from facespace.metrics import all_pairs, count_mixed_pairs
from facespace.training.augment import to_input
from facespace.training.chunks import backward_in_chunks
from facespace.training.data import Faces
from facespace.training.feed import Feed, Portion
from facespace.training.health import Epoch, check_health, check_loss, effective_rank
from facespace.training.losses import Outcome
from facespace.training.material import Material
from facespace.training.networks import EMBEDDING_LAYERS, make_network
from facespace.training.objective import Objective, pairs_and_depth
from facespace.training.optimisers import make_optimiser, take_step, update_average
from facespace.training.parallel import World
from facespace.training.processor import has_bfloat16
from facespace.training.recipe import Recipe
from facespace.training.run_folder import RunFolder, read_model, read_state, write_state
from facespace.training.transfer import transfer

OnStep = Callable[[int, int, float], None]  # (step, steps in all, loss)

FIGURES = ("loss", "active", "ap_dist", "an_dist", "teacher_dist", "grad_norm", "pairs", "faces_per_identity")


class Trainer:
    """One run in one folder; `run()` trains what is left of it.

    Args:
        recipe: what to train and how.
        material: what it learns from.
        out: the run folder; made if absent.
        init: a finished run whose weights the network begins with; see `facespace.training.transfer`.
        resume: continue from the folder's checkpoint instead of refusing a folder in use.
        device: "cpu", "cuda", ...

    Raises:
        DataError: the folder holds a run and ``resume`` is not set, or none and it is; ``init`` is no finished run,
            or one of another network.
    """

    def __init__(
        self,
        recipe: Recipe,
        material: Material,
        out: Path,
        *,
        init: Path | None = None,
        resume: bool = False,
        device: str = "cpu",
    ) -> None:
        self.recipe, self.faces, self.watched = recipe, material.faces, material.watched
        self.old = material.old
        self.device, self.world = torch.device(device), World.current()
        self.bfloat16 = recipe.bfloat16 and has_bfloat16(device)
        if recipe.threads:
            torch.set_num_threads(recipe.threads)
        torch.manual_seed(recipe.seed)
        self.network = make_network(recipe).to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if init is not None and not resume:  # a checkpoint holds what came of them
            fresh = EMBEDDING_LAYERS if recipe.only_embedding else ()
            transfer(read_model(init)["weights"], self.network, fresh=fresh)
        if recipe.only_embedding:
            for name, parameter in self.network.named_parameters():
                parameter.requires_grad_(name.split(".")[0] in EMBEDDING_LAYERS)
        self.average = make_network(recipe).to(self.device)
        self.average.load_state_dict(self.network.state_dict())
        targets, n_identities, means = material.targets, len(self.faces.identities), None
        if targets and recipe.margin_softmax.of_teacher:
            means = targets.identity_means(self.faces.labels)
        self.objective = Objective(recipe, n_identities, teacher_means=means).to(self.device)
        parameters = (*self.network.parameters(), *self.objective.parameters())
        self.optimiser = make_optimiser(recipe.optimiser, [p for p in parameters if p.requires_grad])
        self.feed = Feed(recipe, self.faces, targets, self.world, self._embed_now)
        self.epoch = self.step = self.step_in_epoch = 0
        self.sums, self.counts = np.zeros(len(FIGURES)), np.zeros(len(FIGURES))
        self.history: list[Epoch] = []
        self.folder = RunFolder(out, resume=resume)
        if resume:
            self._load()
        if self.world.first:
            self.folder.write_recipe(
                recipe,
                n_faces=len(self.faces),
                n_identities=n_identities,
                init=str(init or ""),
                device=str(self.device),
                in_bfloat16=self.bfloat16,
            )

    def run(
        self,
        *,
        on_step: OnStep | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> list[Epoch]:
        """Train what is left and write `model.pt`; ``on_step(step, n_steps, loss)`` and ``on_epoch`` follow along.

        Raises:
            TrainingError: the loss is not finite, the embeddings collapsed, or the run stands still.
        """
        while self.epoch < self.recipe.epochs:
            self.history.append(self._run_epoch(on_step))
            self.epoch, self.step_in_epoch = self.epoch + 1, 0
            self.sums, self.counts = np.zeros(len(FIGURES)), np.zeros(len(FIGURES))
            self._save()
            if self.world.first:
                self.folder.write_epochs(self.history)
            if on_epoch:
                on_epoch(self.history[-1])
            check_health(self.history)
        if self.world.first:
            self.folder.write_model(
                self.recipe,
                self.average.state_dict(),
                input_hw=self.network.input_hw,
                old=self.old.sha256 if self.old else "",
            )
        return self.history

    def _run_epoch(self, on_step: OnStep | None) -> Epoch:
        started, n_faces, n_items = time.monotonic(), 0, 0
        n_steps = self.feed.n_steps(self.epoch)
        embeddings = torch.zeros(0)
        for portion in self.feed.portions(self.epoch, start=self.step_in_epoch, step=self.step):
            progress = (self.epoch + self.step_in_epoch / n_steps) / self.recipe.epochs
            embeddings = self._train_step(portion, progress)
            n_items = len(portion.items)
            n_faces += len(portion.crops)
            self.step += 1
            self.step_in_epoch += 1
            if on_step:
                on_step(self.epoch * n_steps + self.step_in_epoch, n_steps * self.recipe.epochs, self.sums[0])
            if self.step % self.recipe.checkpoint_steps == 0 and self.step_in_epoch < n_steps:
                self._save()
        seconds = time.monotonic() - started
        tar, mixed_tar = self._validate()
        means = dict(
            zip(FIGURES, (self.sums / np.where(self.counts, self.counts, np.nan)).tolist(), strict=True)
        )
        return Epoch(
            epoch=self.epoch,
            rank=effective_rank(self.world.gather(embeddings, n_items)),
            learning_rate=self.optimiser.param_groups[0]["lr"],
            tar=tar,
            mixed_tar=mixed_tar,
            faces_per_second=n_faces / seconds,
            seconds=seconds,
            **means,
        )

    def _train_step(self, portion: Portion, progress: float) -> Tensor:
        """One step of the optimiser; returns the embeddings of this rank's share."""
        self._train_mode()
        self.optimiser.zero_grad(set_to_none=True)
        labels, targets = self.feed.labels(portion.items), self.feed.targets(portion.items)

        def objective(own: Tensor) -> tuple[Tensor, Outcome]:
            outcome: Outcome = self.objective(
                self.world.gather(own, len(labels)),
                torch.from_numpy(labels).to(self.device),
                targets=None if targets is None else targets.to(self.device),
                old=None if self.old is None else self._old_rows(portion.items),
                triplets=portion.triplets,
                progress=progress,
                generator=torch.Generator(self.device).manual_seed(self._seed(0)),
            )
            return outcome.loss, outcome

        crops, size = portion.crops, self.recipe.batches.chunk or max(1, len(portion.crops))
        starts = range(0, len(crops), size)
        embeddings, outcome = backward_in_chunks(
            self.network,
            lambda i: self._embed(crops[starts[i] : starts[i] + size], starts[i]),
            len(starts),
            objective,
        )
        self.world.sum_gradients([p for p in self.network.parameters() if p.requires_grad])
        norm = take_step(self.optimiser, self.recipe.optimiser, progress).item()
        check_loss(self.step, outcome.loss.item(), norm)
        self.world.average_statistics(self.network)
        # Early on the average follows closely, or it would keep the random start for long.
        decay = min(self.recipe.optimiser.ema, (1 + self.step) / (10 + self.step))
        update_average(self.average, self.network, decay)
        self._count(outcome, norm, labels)
        return embeddings

    def _embed(self, crops: NDArray[np.uint8], start: int) -> Tensor:
        """Unit rows of a chunk with gradient, the same ones each time: all chance comes from the chunk's place."""
        seed = self._seed(1, self.world.rank, start)
        torch.manual_seed(seed)
        images = self.recipe.augmentation(
            torch.from_numpy(crops).to(self.device),
            torch.Generator().manual_seed(seed),
            size_hw=self.network.input_hw,
        )
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            raw = self.network(images)
        return F.normalize(raw.float(), dim=1)

    def _seed(self, *place: int) -> int:
        """A seed of this step and a place in it."""
        state = np.random.SeedSequence((self.recipe.seed, self.epoch, self.step_in_epoch, *place))
        return int(state.generate_state(1, np.uint64)[0] >> np.uint64(1))

    def _embed_now(self, face_idx: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(
            embed_faces(self.network, self.faces, face_idx, bfloat16=self.bfloat16, device=self.device)
        )

    def _count(self, outcome: Outcome, grad_norm: float, labels: NDArray[np.int64]) -> None:
        pairs, faces_per_identity = pairs_and_depth(labels)
        row = np.array([
            outcome.loss.item(), outcome.active, outcome.ap_dist, outcome.an_dist, outcome.teacher_dist,
            grad_norm, pairs, faces_per_identity,
        ])  # fmt: skip
        self.sums += np.nan_to_num(row)
        self.counts += np.isfinite(row)

    def _old_rows(self, items: NDArray[np.int64]) -> Tensor:
        """The older version's rows of a portion; any where it is a blend, which shows nobody."""
        assert self.old is not None
        return torch.from_numpy(self.old.rows[items % len(self.faces)]).to(self.device)

    def _train_mode(self) -> None:
        self.network.train(not self.recipe.only_embedding)
        if self.recipe.only_embedding:
            for name in EMBEDDING_LAYERS:
                getattr(self.network, name, nn.Identity()).train()
        elif self.recipe.freeze_norms:
            for module in self.network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def _validate(self) -> tuple[float, float]:
        """VAL at FAR 1e-3 of the watched faces, and of them against the same faces by the older version."""
        if self.watched is None:
            return math.nan, math.nan
        labels, everyone = self.watched.labels, np.arange(len(self.watched))
        embeddings = embed_faces(
            self.average, self.watched, everyone, bfloat16=self.bfloat16, device=self.device
        )
        tar, mixed = all_pairs(embeddings, labels, fars=(1e-3,))[0].tar, None
        if self.old is not None and self.old.watched is not None:
            mixed = count_mixed_pairs(embeddings, self.old.watched, labels).tar_at_far(1e-3).tar
        return math.nan if tar is None else tar, math.nan if mixed is None else mixed

    def _save(self) -> None:
        if self.world.first:
            write_state(self.folder.checkpoint, {
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "objective": self.objective.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "place": (self.epoch, self.step, self.step_in_epoch),
                "sums": (self.sums.tolist(), self.counts.tolist()),
                "history": [dataclasses.asdict(e) for e in self.history],
                "mined": torch.from_numpy(self.feed.mined),
            })  # fmt: skip
        self.world.wait()

    def _load(self) -> None:
        state = read_state(self.folder.checkpoint)
        for name in ("network", "average", "objective", "optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.epoch, self.step, self.step_in_epoch = state["place"]
        self.sums, self.counts = (np.array(x) for x in state["sums"])
        self.history = [Epoch(**row) for row in state["history"]]
        self.feed.mined = state["mined"].numpy()


@torch.no_grad()
def embed_faces(
    network: nn.Module,
    faces: Faces,
    face_idx: NDArray[np.int64],
    *,
    batch_size: int = 256,
    bfloat16: bool = False,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """Unit embeddings (N, D) of faces by a torch network in evaluation mode, unchanged pictures at its input size."""
    network.eval()
    kind = torch.device(device).type
    rows = []
    for start in range(0, len(face_idx), batch_size):
        crops = torch.from_numpy(faces.crops(face_idx[start : start + batch_size])).to(device)
        images = to_input(crops, network.input_hw)  # type: ignore[arg-type]
        with torch.autocast(kind, torch.bfloat16, enabled=bfloat16):
            raw = network(images.contiguous(memory_format=torch.channels_last))
        rows.append(F.normalize(raw.float(), dim=1).cpu())
    return torch.cat(rows).numpy()
