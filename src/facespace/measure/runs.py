"""Trained networks as models: run folders of `facespace train`, exported once so that all are judged by one code."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facespace.errors import DataError


@dataclass(frozen=True)
class RunModel:
    """A run's model and what its recipe says."""

    name: str  # of the run folder
    model: Path  # ONNX file with a ModelSpec
    sha256: str  # of what it was exported from
    recipe: dict[str, Any]  # recipe.json, whole

    @property
    def network(self) -> str:
        """The recipe's network."""
        return str(self.recipe.get("network", ""))

    @property
    def old(self) -> Path | None:
        """The older model that the run was trained to meet, where it is a run of `facespace harmonise`."""
        named = self.recipe.get("harmonic", {}).get("old", "")
        return Path(named) if named else None

    def budget(self) -> str:
        """How long it was trained, on what and from which run on, for people."""
        steps = int(self.recipe.get("epoch_steps") or 0) * int(self.recipe.get("epochs", 0))
        length = f"{steps:,} steps" if steps else f"{self.recipe.get('epochs', '?')} epochs"
        batch = self.recipe.get("batches", {}).get("batch_size", "?")
        first = self.recipe.get("init")
        return (
            f"{length} of {batch} faces, {self.recipe.get('n_faces', 0):,} images of "
            f"{self.recipe.get('n_identities', 0):,} people{f', from the run {Path(first).name}' if first else ''}"
        )


def find_runs(folder: Path, exported: Path) -> list[RunModel]:
    """The finished runs directly below ``folder``, by name.

    Args:
        folder: of run folders; a run still under way, or another folder, is passed over.
        exported: where the ONNX files go; a run that holds an ONNX file of its own is taken with that.

    Raises:
        DataError: no such folder, or a recipe that cannot be read.
        MissingExtraError: runs to export, and no torch.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder of run folders, there is none")
    runs = (open_run_model(path, exported) for path in sorted(folder.iterdir()) if path.is_dir())
    return [run for run in runs if run is not None]


def open_run_model(run: Path, exported: Path) -> RunModel | None:
    """The model of one run folder; None where it holds no finished run.

    Raises:
        DataError: a recipe that cannot be read.
        MissingExtraError: a run to export, and no torch.
    """
    recipe, weights = run / "recipe.json", run / "model.pt"
    own = sorted(run.glob("*.onnx"))
    if not recipe.is_file() or not (weights.is_file() or own):
        return None
    try:
        facts = json.loads(recipe.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{recipe}: expected the recipe of a run, got: {error}") from error
    source = own[0] if own else weights
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    return RunModel(
        run.name, own[0] if own else _export(run, exported / f"{digest[:16]}.onnx", facts), digest, facts
    )


def _export(run: Path, model: Path, recipe: dict[str, Any]) -> Path:
    if model.is_file():
        return model
    _need_torch()
    from facespace.training.export import export_embedder

    trained_on = f"{recipe.get('n_faces')} faces of {recipe.get('n_identities')} people"
    export_embedder(run, model, training_data=trained_on, licence="not stated")
    return model


def _need_torch() -> None:
    from importlib.util import find_spec

    from facespace.errors import MissingExtraError

    if find_spec("torch") is None:
        raise MissingExtraError("exporting a run", "train")
