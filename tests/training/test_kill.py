"""A run that is killed anywhere goes on to the same bits."""

import csv
import functools
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from drawn import drawn_faces
from facespace.training.loop import Trainer
from facespace.training.material import Material
from facespace.training.recipe import (
    Batches,
    Curriculum,
    MarginSoftmaxOptions,
    Mining,
    Optimiser,
    Recipe,
)

TIMED = {"seconds", "faces_per_second"}
CHILD = """
import sys
from collections.abc import Callable
from pathlib import Path
from drawn import drawn_faces
from test_kill import RECIPES
from facespace.training.loop import Trainer
from facespace.training.material import Material
from facespace.training.run_folder import RunFolder

RunFolder._draw_curves = RunFolder._log = lambda *_: None
trainer = Trainer(RECIPES[sys.argv[1]], Material(drawn_faces(8, 12, 32), drawn_faces(side=32)), Path(sys.argv[2]))
trainer.run(on_step=lambda *_: print("step", flush=True))
"""
ONLINE = Recipe(
    name="online",
    input_px=32,
    dim=16,
    epochs=2,
    threads=1,
    checkpoint_steps=3,
    batches=Batches(batch_size=24, faces_per_identity=4, chunk=10),
    margin_softmax=MarginSoftmaxOptions(weight=0.1),
    optimiser=Optimiser(learning_rate=2e-3, ema=0.5),
)
OFFLINE = Recipe(
    name="offline",
    input_px=32,
    dim=16,
    epochs=3,
    threads=1,
    checkpoint_steps=3,
    batches=Batches(batch_size=24, faces_per_identity=4),
    mining=Mining(every=5, pool=60, rule="one-sided", curriculum=(Curriculum(0.3, "any"),)),
    optimiser=Optimiser(kind="adagrad", schedule="steps", lower_at=(0.5,), learning_rate=0.01, ema=0.5),
)
RECIPES = {r.name: r for r in (ONLINE, OFFLINE)}


def kill_after(recipe: Recipe, out: Path, n_steps: int) -> None:
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), *sys.path])}
    command = [sys.executable, "-c", CHILD, recipe.name, str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        for _ in range(n_steps):
            assert process.stdout.readline() == "step\n"
        process.send_signal(signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of the whole run of a recipe."""

    @functools.cache
    def run(name: str) -> Path:
        out = tmp_path_factory.mktemp(name)
        Trainer(RECIPES[name], Material(drawn_faces(8, 12, 32), drawn_faces(side=32)), out).run()
        return out

    return run


def rows(out: Path) -> list[dict[str, str]]:
    found = csv.DictReader((out / "epochs.csv").read_text().splitlines())
    return [{k: v for k, v in row.items() if k not in TIMED} for row in found]


@pytest.mark.parametrize(("name", "n_steps"), [("online", 4), ("online", 7), ("offline", 8)])
def test_a_killed_run_goes_on_to_the_bits_of_an_unbroken_one(
    unbroken: Callable[[str], Path], name: str, n_steps: int, tmp_path: Path
) -> None:
    whole, recipe = unbroken(name), RECIPES[name]
    kill_after(recipe, tmp_path, n_steps)
    assert not (tmp_path / "model.pt").exists()
    resumed = Trainer(recipe, Material(drawn_faces(8, 12, 32), drawn_faces(side=32)), tmp_path, resume=True)
    assert resumed.step > 0
    resumed.run()
    expected, weights = (
        torch.load(out / "model.pt", weights_only=True)["weights"] for out in (whole, tmp_path)
    )
    assert all(torch.equal(expected[key], weights[key]) for key in expected)
    assert rows(whole) == rows(tmp_path)
    assert len(rows(whole)) == recipe.epochs
