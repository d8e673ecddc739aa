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
        """How long it was trained and on what, the runs that it went on from first, for people."""
        return _budget(self.recipe)


def _budget(recipe: dict[str, Any]) -> str:
    steps = int(recipe.get("epoch_steps") or 0) * int(recipe.get("epochs", 0))
    length = f"{steps:,} steps" if steps else f"{recipe.get('epochs', '?')} epochs"
    batch = recipe.get("batches", {}).get("batch_size", "?")
    teacher = " with a teacher" if recipe.get("distillation", {}).get("teacher") else ""
    own = (
        f"{length} of {batch} faces{teacher}, {recipe.get('n_faces', 0):,} images of "
        f"{recipe.get('n_identities', 0):,} people"
    )
    if not recipe.get("init"):
        return own
    before = Path(recipe["init"])
    if not (before / "recipe.json").is_file():
        return f"{own}, from the run {before.name}"
    return f"{_budget(_read_recipe(before))}; then {own}"


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
    weights, own = run / "model.pt", sorted(run.glob("*.onnx"))
    if not (run / "recipe.json").is_file() or not (weights.is_file() or own):
        return None
    facts = _read_recipe(run)
    source = own[0] if own else weights
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    return RunModel(
        run.name, own[0] if own else _export(run, exported / f"{digest[:16]}.onnx", facts), digest, facts
    )


def _read_recipe(run: Path) -> dict[str, Any]:
    path = run / "recipe.json"
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: expected the recipe of a run, got: {error}") from error
    return facts


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
