"""Trained networks as models; the run folders here hold the built-in model as theirs, so that nothing is trained."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from facespace.embed import Embedder
from facespace.errors import DataError
from facespace.measure.cache import Cache
from facespace.measure.context import Context, Setup
from facespace.measure.experiments.trained import table6
from facespace.measure.paper import NETWORKS
from facespace.measure.report import make_report
from facespace.measure.result import MEASURED, Table
from facespace.measure.runs import find_runs
from facespace.models import find_model
from few_people import few_people

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
    later = dataclasses.replace(runs[0], recipe={**runs[0].recipe, "init": "runs/before"})
    assert later.budget() == f"{runs[0].budget()}, from the run before"
    make_run(tmp_path, "before", epoch_steps=0, distillation={"teacher": "t.onnx"})
    later = dataclasses.replace(runs[0], recipe={**runs[0].recipe, "init": str(tmp_path / "before")})
    taught = "4 epochs of 128 faces with a teacher, 5,000 images of 70 people"
    assert later.budget() == f"{taught}; then {runs[0].budget()}"
    assert not (tmp_path / "exported").exists()


def test_what_is_no_folder_of_runs_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="folder of run folders"):
        find_runs(tmp_path / "nowhere", tmp_path)
    (make_run(tmp_path, "a") / "recipe.json").write_text("{")
    with pytest.raises(DataError, match="recipe of a run"):
        find_runs(tmp_path, tmp_path)


def test_a_sweep_has_a_point_for_each_run_in_order(tmp_path: Path, data: Path) -> None:
    few = few_people(data, tmp_path / "data", 3)
    for name, n in (
        ("images-by-image-100", 100),
        ("base", 5000),
        ("images-by-identity-100", 100),
        ("dim-64", 9),
    ):
        make_run(tmp_path / "sweeps", name, n_faces=n)
    result = table6(Context(Setup(few, runs=tmp_path, quick=True), Cache(tmp_path / "work")))
    assert [(point["value"], point["note"]) for point in result.figures["points"]] == [
        (100.0, "by identity"),
        (100.0, "by image"),
        (5000.0, ""),
    ]
    assert "Each run: 40 steps of 128 faces; network plain-residual at 56 px." in result.differs


def test_no_other_model_fills_a_network_s_row(tmp_path: Path, data: Path) -> None:
    few = few_people(data, tmp_path / "data", 24)
    make_run(tmp_path / "runs", "mine")
    make_run(tmp_path / "runs", "called-nn3", network="nn3")  # its model has not nn3's input
    report = make_report(
        Setup(few, runs=tmp_path / "runs", quick=True), tmp_path / "work", only=["table3", "figure5"]
    )
    by_name = {part.name: part.result for part in report.parts}
    (table,) = by_name["table3"].blocks
    assert isinstance(table, Table)
    rows = {row[0]: row for row in table.rows}
    assert all(rows[n.name][3:] == (None, None, "not trained") for n in NETWORKS)
    assert rows["mine"][4] == rows["called-nn3"][4] == rows[Embedder().spec.name][4] is not None
    assert by_name["figure5"].status == MEASURED and "Not trained: NN1, NN2" in by_name["figure5"].headline
