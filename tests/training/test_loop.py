import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from drawn import drawn_faces
from facespace.errors import DataError, TrainingError
from facespace.training.augment import Augmentation
from facespace.training.health import PATIENCE, effective_rank
from facespace.training.loop import Trainer, embed_faces
from facespace.training.material import Material
from facespace.training.networks import make_network
from facespace.training.recipe import Batches, Optimiser, Recipe

RECIPE = Recipe(
    name="drawn",
    epochs=2,
    threads=1,
    batches=Batches(batch_size=24, faces_per_identity=4),
    optimiser=Optimiser(learning_rate=2e-3, ema=0.5),
    augmentation=Augmentation(flip=0.0),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    Trainer(RECIPE, Material(drawn_faces(), drawn_faces()), out).run()
    return out


def test_a_run_leaves_its_recipe_its_rows_and_its_weights(run: Path) -> None:
    rows = list(csv.DictReader((run / "epochs.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    written = {"recipe.json", "epochs.csv", "curves.svg", "tensorboard", "checkpoint.pt", "model.pt"}
    assert written == {p.name for p in run.iterdir()}
    assert list((run / "tensorboard").iterdir())


def test_identities_move_apart(run: Path) -> None:
    state = torch.load(run / "model.pt", weights_only=True)
    assert (state["name"], state["dim"]) == ("drawn", 128)
    first, last = list(csv.DictReader((run / "epochs.csv").read_text().splitlines()))
    assert float(last["active"]) <= float(first["active"])
    assert float(last["an_dist"]) > float(last["ap_dist"])


def test_resuming_gives_the_weights_of_an_unbroken_run(run: Path, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop_in_the_second_epoch(step: int, n_steps: int, loss: float) -> None:
        if step > n_steps // 2:
            raise StopError

    with pytest.raises(StopError):
        Trainer(RECIPE, Material(drawn_faces()), tmp_path).run(on_step=stop_in_the_second_epoch)
    Trainer(RECIPE, Material(drawn_faces()), tmp_path, resume=True).run()
    unbroken = torch.load(run / "model.pt", weights_only=True)["weights"]
    resumed = torch.load(tmp_path / "model.pt", weights_only=True)["weights"]
    assert all(torch.equal(unbroken[name], resumed[name]) for name in unbroken)


def test_a_folder_in_use_and_a_missing_checkpoint_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--resume"):
        Trainer(RECIPE, Material(drawn_faces()), run)
    with pytest.raises(DataError, match="expected a checkpoint"):
        Trainer(RECIPE, Material(drawn_faces()), tmp_path, resume=True)


def test_a_loss_that_is_not_finite_stops_the_run_with_the_remedy(tmp_path: Path) -> None:
    trainer = Trainer(RECIPE, Material(drawn_faces()), tmp_path)
    with torch.no_grad():
        trainer.network.embedding.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="learning_rate"):
        trainer.run()


SMALL = dataclasses.replace(RECIPE, input_px=32, dim=16, epochs=40)


def test_a_collapse_stops_the_run_with_the_remedy(tmp_path: Path) -> None:
    recipe = dataclasses.replace(SMALL, optimiser=Optimiser(learning_rate=0.0, ema=0.5))
    trainer = Trainer(recipe, Material(drawn_faces(side=32)), tmp_path)
    trainer.network.spread = torch.nn.Identity()  # what holds the components apart
    with (
        torch.no_grad()
    ):  # what hardest negatives make of a network early on: f(x) = const (paper, section 3.2)
        trainer.network.embedding.weight.zero_()[0] = 1.0
    with pytest.raises(TrainingError, match=r"collapsed \(effective rank 1.*semi-hard"):
        trainer.run()


def test_a_standstill_stops_the_run_with_the_remedy(tmp_path: Path) -> None:
    recipe = dataclasses.replace(SMALL, optimiser=Optimiser(learning_rate=0.0, ema=0.5))
    trainer = Trainer(recipe, Material(drawn_faces(side=32), drawn_faces(side=32)), tmp_path)
    with pytest.raises(TrainingError, match="standstill"):
        trainer.run()
    assert PATIENCE < len(trainer.history) < recipe.epochs


def test_effective_rank_of_known_clouds(rng: np.random.Generator) -> None:
    line = torch.from_numpy(np.outer(rng.normal(size=50), np.ones(8)))
    assert effective_rank(line) == pytest.approx(1.0, abs=1e-3)
    cloud = torch.from_numpy(rng.normal(size=(20000, 8)))
    assert effective_rank(cloud) == pytest.approx(8.0, rel=0.01)


def test_embeddings_are_unit_rows_of_all_faces() -> None:
    faces = drawn_faces(2, 3)
    embeddings = embed_faces(make_network(RECIPE), faces, np.arange(6), batch_size=4)
    assert embeddings.shape == (6, 128)
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
