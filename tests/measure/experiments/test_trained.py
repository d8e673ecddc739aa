import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawn import drawn_faces
from facespace.errors import DataError, InputError
from facespace.measure.cache import Cache
from facespace.measure.context import Context, Setup
from facespace.measure.experiments import trained
from facespace.measure.experiments.trained import resolution, table5
from facespace.measure.result import NOT_RUN
from facespace.measure.runs import RunModel

pytest.importorskip("torch")


def draw_folders(root: Path) -> None:
    faces = drawn_faces(6, 6)
    for part in ("train", "val"):
        for i, (crop, label) in enumerate(zip(faces.crops(np.arange(len(faces))), faces.labels, strict=True)):
            path = root / "faces" / part / f"p{label}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(crop).save(path)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of eight faces on one thread."""
    from facespace.training import sweeps
    from facespace.training.recipe import Batches, Data, Mining

    recipe = dataclasses.replace(
        sweeps.SWEEP_RECIPE,
        mining=Mining(rule="one-sided", margin=4.0),
        batches=Batches(batch_size=8, faces_per_identity=4),
        data=Data(validation=""),
        threads=1,
    )
    monkeypatch.setattr(sweeps, "SWEEP_RECIPE", recipe)


def test_a_quick_run_trains_nothing_and_says_what_to_run(tmp_path: Path) -> None:
    result = table5(Context(Setup(tmp_path, runs=tmp_path / "runs", quick=True), Cache(tmp_path / "work")))
    assert result.status == NOT_RUN and "facespace measure report --only table5" in result.remedy
    assert not list(tmp_path.iterdir())


def test_a_sweep_is_trained_once_and_keeps_to_its_budget(tmp_path: Path, tiny: None) -> None:
    draw_folders(tmp_path)
    out, seen = tmp_path / "runs" / "sweeps", []
    setup = Setup(tmp_path, runs=tmp_path / "runs", budget=32)
    out.mkdir(parents=True)
    for _ in range(2):  # the second time finds everything trained
        cache = Cache(tmp_path / "work")
        context = Context(setup, cache, on_step=lambda done, total: seen.append((done, total)))
        result = resolution(context)
    steps = [step for step in seen if step[1] == 8]
    assert steps == [(i, 8) for i in range(1, 9)]
    assert [point["setting"] for point in result.figures["points"]][::3] == [
        "no low-resolution faces",
        f"{100 * json.loads((out / 'base' / 'recipe.json').read_text())['augmentation']['low_resolution']:.0f} % "
        "low-resolution faces",
    ]
    assert len(result.blocks[0].rows) == 6 and "4 steps of 8 faces" in result.differs[1]
    with pytest.raises(DataError, match="another recipe or budget"):
        resolution(Context(dataclasses.replace(setup, budget=64), cache))


def test_runs_of_different_budgets_do_not_stand_in_one_table(tmp_path: Path) -> None:
    recipe = {"epochs": 1, "epoch_steps": 3, "batches": {"batch_size": 8}}
    runs = [RunModel(name, tmp_path, "", {**recipe, "epochs": n}) for n, name in ((1, "base"), (2, "dim-64"))]
    with pytest.raises(InputError, match="runs of one budget"):
        trained.measure_runs("table5", runs, Context(Setup(tmp_path)))
    assert [run.name for run in trained.runs_of_sweep("table6", runs)] == ["base"]
