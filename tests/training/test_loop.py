import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from facespace.errors import DataError, TrainingError
from facespace.training.augment import Augmentation, to_input
from facespace.training.data import FaceFolder, read_face_folder
from facespace.training.loop import Trainer, effective_rank, embed_crops
from facespace.training.recipe import Batches, Optimiser, Recipe


def drawn_faces(n_identities: int = 8, n_each: int = 6) -> FaceFolder:
    """Identities that differ by colour and a bar's place, with noise: quick to tell apart."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(n_identities), n_each)
    crops = rng.integers(0, 60, (len(labels), 112, 112, 3)).astype(np.uint8)
    for crop, label in zip(crops, labels, strict=True):
        crop[label * 12 : label * 12 + 16, :, label % 3] += 150
    return FaceFolder(crops, labels, tuple(str(i) for i in range(n_identities)))


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
    Trainer(RECIPE, drawn_faces(), out, validation=drawn_faces()).run()
    return out


def test_a_run_leaves_its_recipe_its_rows_and_its_weights(run: Path) -> None:
    rows = list(csv.DictReader((run / "epochs.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert {"recipe.json", "epochs.csv", "checkpoint.pt", "model.pt"} == {p.name for p in run.iterdir()}


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
        Trainer(RECIPE, drawn_faces(), tmp_path).run(on_step=stop_in_the_second_epoch)
    Trainer(RECIPE, drawn_faces(), tmp_path, resume=True).run()
    unbroken = torch.load(run / "model.pt", weights_only=True)["weights"]
    resumed = torch.load(tmp_path / "model.pt", weights_only=True)["weights"]
    assert all(torch.equal(unbroken[name], resumed[name]) for name in unbroken)


def test_a_folder_in_use_and_a_missing_checkpoint_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--resume"):
        Trainer(RECIPE, drawn_faces(), run)
    with pytest.raises(DataError, match="expected a checkpoint"):
        Trainer(RECIPE, drawn_faces(), tmp_path, resume=True)


def test_a_loss_that_is_not_finite_stops_the_run_with_the_remedy(tmp_path: Path) -> None:
    trainer = Trainer(RECIPE, drawn_faces(), tmp_path)
    with torch.no_grad():
        trainer.network.embedding.weight.fill_(float("nan"))
    with pytest.raises(TrainingError, match="learning_rate"):
        trainer.run()


def test_effective_rank_of_known_clouds(rng: np.random.Generator) -> None:
    line = torch.from_numpy(np.outer(rng.normal(size=50), np.ones(8)))
    assert effective_rank(line) == pytest.approx(1.0, abs=1e-3)
    cloud = torch.from_numpy(rng.normal(size=(20000, 8)))
    assert effective_rank(cloud) == pytest.approx(8.0, rel=0.01)


def test_augmentation_keeps_shape_and_range_and_follows_its_generator() -> None:
    images = to_input(torch.from_numpy(drawn_faces(4, 2).crops))
    strong = Augmentation(grey=0.5, low_resolution=0.5, erase=0.5)
    first = strong(images.clone(), torch.Generator().manual_seed(3))
    again = strong(images.clone(), torch.Generator().manual_seed(3))
    assert first.shape == images.shape and torch.equal(first, again)
    assert first.min() >= -1 and first.max() <= 1 and not torch.equal(first, images)


def test_no_augmentation_changes_nothing() -> None:
    still = Augmentation(**dict.fromkeys(Augmentation.__dataclass_fields__, 0.0))
    images = to_input(torch.from_numpy(drawn_faces(3, 2).crops))
    assert torch.allclose(still(images.clone(), torch.Generator()), images, atol=1e-4)


def test_flip_mirrors_left_and_right() -> None:
    mirror = Augmentation(**{**dict.fromkeys(Augmentation.__dataclass_fields__, 0.0), "flip": 1.0})
    images = torch.linspace(-1, 1, 112).expand(1, 3, 112, 112).clone()
    assert torch.allclose(mirror(images.clone(), torch.Generator()), images.flip(3), atol=1e-4)


def test_embeddings_are_unit_rows(run: Path) -> None:
    from facespace.training.networks import build

    embeddings = embed_crops(build("plain-residual"), drawn_faces(2, 2).crops)
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("identities", [[], ["a"]])
def test_a_folder_without_identities_is_refused(tmp_path: Path, identities: list[str]) -> None:
    for name in identities:
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="<identity>/<image>"):
        read_face_folder(tmp_path)
