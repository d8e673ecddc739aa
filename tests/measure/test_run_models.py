"""Trained networks as models; the run folders here hold the built-in model as theirs, so that nothing is trained."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from facespace.errors import DataError
from facespace.measure.runs import find_runs
from facespace.models import find_model

RECIPE: dict[str, Any] = {
    "network": "plain-residual", "dim": 128, "input_px": 56, "epochs": 4, "epoch_steps": 10, "n_faces": 5000,
    "n_identities": 70, "batches": {"batch_size": 128}, "augmentation": {"low_resolution": 0.1},
}  # fmt: skip


def make_run(folder: Path, name: str, *, model: bool = True, **changes: Any) -> Path:
    run = folder / name
    run.mkdir(parents=True)
    (run / "recipe.json").write_text(json.dumps(RECIPE | changes))
    if model:
        shutil.copy(find_model(None, "embedder"), run / "model.onnx")
    return run


def test_finished_runs_are_found_and_others_passed_over(tmp_path: Path) -> None:
    make_run(tmp_path, "b")
    make_run(tmp_path, "a", network="nn4")
    make_run(tmp_path, "under-way", model=False)
    (tmp_path / "notes").mkdir()
    runs = find_runs(tmp_path, tmp_path / "exported")
    assert [(run.name, run.network) for run in runs] == [("a", "nn4"), ("b", "plain-residual")]
    assert runs[0].budget() == "40 steps of 128 faces, 5,000 images of 70 people"
    assert not (tmp_path / "exported").exists()


def test_what_is_no_folder_of_runs_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="folder of run folders"):
        find_runs(tmp_path / "nowhere", tmp_path)
    (make_run(tmp_path, "a") / "recipe.json").write_text("{")
    with pytest.raises(DataError, match="recipe of a run"):
        find_runs(tmp_path, tmp_path)
