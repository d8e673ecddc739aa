"""The folder of a run: resolved recipe, figures, curves, checkpoint and final weights.

recipe.json     every option, seeds included, and what trained it: versions and code revision
epochs.csv      one row an epoch
curves.svg      the same as plots (with matplotlib)
tensorboard/    the same for TensorBoard (with tensorboard)
checkpoint.pt   all that is needed to continue to the same bits
model.pt        the averaged weights of a finished run
"""

import csv
import dataclasses
import importlib.util
import io
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import facespace
from facespace.errors import DataError
from facespace.saved_files import write_beside, written_beside
from facespace.training.health import Epoch
from facespace.training.recipe import Recipe

CURVES = {
    "loss": ("loss", "teacher_dist"),
    "distance": ("ap_dist", "an_dist"),
    "share": ("active", "tar", "mixed_tar"),
    "effective rank": ("rank",),
}


class RunFolder:
    """Files of one run; each is written beside and then renamed, so that a kill leaves the last whole one.

    Args:
        path: made if absent.
        resume: the folder must hold a checkpoint; otherwise it must not.

    Attributes:
        checkpoint: the file of all that is needed to continue; see `write_state`.

    Raises:
        DataError: the folder is in use, or holds nothing to resume.
    """

    def __init__(self, path: Path, *, resume: bool = False) -> None:
        self.path, self.checkpoint = path, path / "checkpoint.pt"
        if self.checkpoint.exists() and not resume:
            raise DataError(f"{path}: holds a run already; continue it with --resume, or name another folder")
        if resume and not self.checkpoint.exists():
            raise DataError(f"{self.checkpoint}: expected a checkpoint to resume from, there is none")
        path.mkdir(parents=True, exist_ok=True)

    def write_recipe(self, recipe: Recipe, **facts_of_run: Any) -> None:
        """The recipe as it was resolved, and what is needed to repeat it; a resumed run keeps its first."""
        if (self.path / "recipe.json").exists():
            return
        facts = {
            **dataclasses.asdict(recipe),
            **facts_of_run,
            "facespace": facespace.__version__,
            "revision": _revision(),
            "torch": torch.__version__,
        }
        write_beside(self.path / "recipe.json", (json.dumps(facts, indent=2) + "\n").encode())

    def write_model(
        self, recipe: Recipe, weights: dict[str, Any], *, input_hw: tuple[int, int], old: str = ""
    ) -> None:
        """The finished run's averaged weights, for export; ``old`` is the sha256 of the older version they meet."""
        write_state(self.path / "model.pt", {
            "network": recipe.network,
            "input_hw": list(input_hw),
            "dim": recipe.dim,
            "name": recipe.name,
            "version": recipe.version,
            "alignment": recipe.alignment,
            "old": old,
            "weights": weights,
        })  # fmt: skip

    def write_epochs(self, epochs: Sequence[Epoch]) -> None:
        """All rows so far, the curves, and the last epoch for TensorBoard."""
        file = io.StringIO()
        writer = csv.DictWriter(file, [f.name for f in dataclasses.fields(Epoch)], lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.6g}" for k, v in dataclasses.asdict(e).items()} for e in epochs)
        write_beside(self.path / "epochs.csv", file.getvalue().encode())
        if importlib.util.find_spec("matplotlib"):
            self._draw_curves(epochs)
        if importlib.util.find_spec("tensorboard"):
            self._log(epochs[-1])

    def _draw_curves(self, epochs: Sequence[Epoch]) -> None:
        from matplotlib.figure import Figure

        figure = Figure(figsize=(11, 7), layout="constrained")
        for axes, (title, names) in zip(figure.subplots(2, 2).flat, CURVES.items(), strict=True):
            for name in names:
                values = [getattr(e, name) for e in epochs]
                if any(v == v for v in values):
                    axes.plot([e.epoch for e in epochs], values, marker=".", label=name)
            axes.set(title=title, xlabel="epoch")
            axes.grid(alpha=0.3)
            if axes.lines:  # a recipe without that term has none
                axes.legend(loc="best")
        with written_beside(self.path / "curves.svg") as partial:
            figure.savefig(partial, format="svg")

    def _log(self, epoch: Epoch) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        with SummaryWriter(str(self.path / "tensorboard")) as writer:
            for name, value in dataclasses.asdict(epoch).items():
                if value == value:
                    writer.add_scalar(name, value, epoch.epoch)


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values, in one step: a kill leaves the file that was there before."""
    with written_beside(path) as partial:
        torch.save(state, partial)


def read_state(path: Path) -> dict[str, Any]:
    """What `write_state` wrote, on whatever device: its tensors are on the processor.

    Raises:
        DataError: it cannot be read.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError) as error:
        raise DataError(f"{path}: expected a checkpoint, got: {error}") from error
    return state


def read_model(run: Path) -> dict[str, Any]:
    """What `write_model` left in a finished run folder.

    Raises:
        DataError: no finished run there.
    """
    path = run / "model.pt"
    if not path.is_file():
        raise DataError(
            f"{run}: expected a finished run with model.pt, there is none; finish it with --resume"
        )
    return read_state(path)


def read_facts(run: Path) -> dict[str, Any]:
    """The resolved recipe of a run folder, as `write_recipe` left it.

    Raises:
        DataError: none there.
    """
    try:
        facts: dict[str, Any] = json.loads((run / "recipe.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{run / 'recipe.json'}: expected a run's resolved recipe, got: {error}") from error
    return facts


def _revision() -> str:
    """The commit of the code, where it runs from a checkout and git is available; else empty."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
