"""Two stages on drawn faces: what stays, what moves, what is refused, and going on after a stop."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from drawn import drawn_faces
from facespace.errors import DataError
from facespace.models import ModelSpec
from facespace.training.augment import Augmentation
from facespace.training.harmonise import default_recipe, first_stage, harmonise, resolve
from facespace.training.health import Epoch
from facespace.training.loop import Trainer
from facespace.training.material import Material, ask_old_version, open_material
from facespace.training.recipe import Batches, EmbeddingStage, Harmonic, Mining, Optimiser, Recipe
from facespace.training.run_folder import read_facts, read_model
from facespace.workers import Threads

SIDE = 32
RECIPE = Recipe(
    name="new",
    epochs=2,
    dim=8,
    input_px=SIDE,
    threads=1,
    batches=Batches(batch_size=24, faces_per_identity=4),
    optimiser=Optimiser(learning_rate=2e-3, ema=0.5),
    augmentation=Augmentation(flip=0.0),
    harmonic=Harmonic(old="old.onnx"),
    embedding_stage=EmbeddingStage(epochs=1, learning_rate=5e-3),
)


class OldColours:
    """An older model whose space is a random projection of the picture, and which counts its questions."""

    spec = ModelSpec("old", "1", "embedder", (16, 16), dim=8, sha256="a" * 64)

    def __init__(self, path: Path | None = None) -> None:
        self.asked = 0

    def embed(self, crops: np.ndarray, *, flip: bool = False) -> np.ndarray:
        assert not flip, "as a gallery holds it"
        self.asked += len(crops)
        project = np.random.default_rng(0).normal(size=(16 * 3, 8))
        rows = (crops.mean(2).reshape(len(crops), -1) - 60) @ project
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Material]:
    faces, watched = drawn_faces(side=SIDE), drawn_faces(n_each=20, side=SIDE, seed=1)
    old = ask_old_version(OldColours(), faces, watched, tmp_path_factory.mktemp("targets"))
    made = Material(faces, watched, None, old)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("facespace.training.harmonise.open_material", lambda *a, **k: made)
        yield made


@pytest.fixture(scope="module")
def init(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("init")
    recipe = dataclasses.replace(RECIPE, name="alone", epochs=1, dim=16)
    Trainer(recipe, Material(drawn_faces(side=SIDE)), run).run()
    return run


def two_stages(init: Path, out: Path, recipe: Recipe = RECIPE, **options):
    return harmonise(recipe, Path(), out, init=init, open_model=OldColours, **options)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return read_model(run)["weights"]


@pytest.fixture(scope="module")
def new(init: Path, material: Material, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Epoch]]:
    out = tmp_path_factory.mktemp("runs") / "new"
    return out, two_stages(init, out)


def test_first_the_embedding_layer_moves_alone_then_all(init: Path, new: tuple[Path, list[Epoch]]) -> None:
    run, epochs = new
    assert [e.epoch for e in epochs] == [0, 0, 1]
    assert all(0 <= e.mixed_tar <= 1 and "against the old version" in e.line() for e in epochs)
    begun, first, second = weights(init), weights(run / "embedding"), weights(run)
    trunk = [name for name in begun if name.split(".")[0] not in ("embedding", "spread")]
    assert all(torch.equal(begun[name], first[name]) for name in trunk), "batch norm included"
    assert first["embedding.weight"].shape[0] == 8, "the older model's dimension, whatever the init's"
    moved = [name for name in trunk if not torch.equal(first[name], second[name])]
    assert {"features.0.weight", "features.1.running_mean", "pool.0.weight"} <= set(moved)
    assert read_model(run)["old"] == "a" * 64
    assert epochs[-1].mixed_tar >= epochs[0].mixed_tar


def test_machines_that_embed_are_let_go_before_training(
    init: Path, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened = []
    machines = Threads(1)

    @contextmanager
    def open_machines() -> Iterator[Threads]:
        yield machines
        happened.append("let go")

    def ask(*_: object, workers: object, **__: object) -> Material:
        assert workers is machines
        happened.append("asked")
        return material

    monkeypatch.setattr("facespace.training.harmonise.open_material", ask)
    two_stages(init, tmp_path / "out", workers=open_machines, on_step=lambda *_: happened.append("trained"))
    assert happened[:3] == ["asked", "let go", "trained"]


def test_an_embedding_layer_of_the_same_size_is_drawn_anew_too(material: Material, tmp_path: Path) -> None:
    same = tmp_path / "same"
    Trainer(dataclasses.replace(RECIPE, epochs=1), Material(drawn_faces(side=SIDE)), same).run()
    still = dataclasses.replace(first_stage(RECIPE), optimiser=Optimiser(learning_rate=0.0))
    trainer = Trainer(still, material, tmp_path / "out", init=same)
    assert not torch.equal(trainer.network.embedding.weight, weights(same)["embedding.weight"])


@pytest.mark.parametrize("stop_after", [2, 5])  # steps: in the first stage, in the second
def test_going_on_gives_the_weights_of_an_unbroken_run(
    init: Path, new: tuple[Path, list[Epoch]], tmp_path: Path, stop_after: int
) -> None:
    class StopError(Exception):
        pass

    seen = []

    def stop(*_: object) -> None:
        seen.append(1)
        if len(seen) > stop_after:
            raise StopError

    recipe = dataclasses.replace(RECIPE, checkpoint_steps=1)
    with pytest.raises(StopError):
        two_stages(init, tmp_path / "broken", recipe, on_step=stop)
    with pytest.raises(DataError, match="--resume"):
        two_stages(init, tmp_path / "broken", recipe)
    two_stages(init, tmp_path / "broken", recipe, resume=True)
    whole, broken = weights(new[0]), weights(tmp_path / "broken")
    assert all(torch.equal(whole[name], broken[name]) for name in whole)


def test_without_a_first_stage_the_embedding_layer_is_kept(material: Material, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    Trainer(dataclasses.replace(RECIPE, epochs=1), Material(drawn_faces(side=SIDE)), alone).run()
    recipe = dataclasses.replace(
        RECIPE, epochs=1, embedding_stage=EmbeddingStage(epochs=0), optimiser=Optimiser(learning_rate=0.0)
    )
    two_stages(alone, tmp_path / "new", recipe)
    assert torch.equal(weights(tmp_path / "new")["embedding.weight"], weights(alone)["embedding.weight"])
    assert not (tmp_path / "new" / "embedding").exists()


def test_the_older_model_is_asked_once(tmp_path: Path) -> None:
    faces, model = drawn_faces(3, 4, 32), OldColours()
    told = []
    first = ask_old_version(model, faces, faces, tmp_path, on_asked=lambda *x: told.append(x))
    again = ask_old_version(model, faces, None, tmp_path)
    assert model.asked == 12, "the watched faces were the same ones"
    assert told[0][1] == 24 and (first.rows == again.rows).all() and again.watched is None
    assert not list(tmp_path.glob("*partial*"))


def test_without_a_recipe_the_run_to_begin_with_decides(init: Path, tmp_path: Path) -> None:
    recipe = default_recipe(init, dim=24)
    facts = read_facts(init)
    assert (recipe.name, recipe.network, recipe.input_px, recipe.dim) == (
        "alone-harmonic", facts["network"], SIDE, 24,
    )  # fmt: skip
    assert recipe.augmentation == RECIPE.augmentation
    resolved = resolve(None, init=init, old=Path("v1.onnx"), dim=24, teacher=Path("t.onnx"))
    assert Path(resolved.harmonic.old).is_absolute() and resolved.distillation.teacher.endswith("t.onnx")
    with pytest.raises(DataError, match="give --old"):
        two_stages(init, tmp_path / "x", dataclasses.replace(RECIPE, harmonic=Harmonic()))
    with pytest.raises(DataError, match="mines each batch"):
        two_stages(init, tmp_path / "x", dataclasses.replace(RECIPE, mining=Mining(every=10)))
    with pytest.raises(DataError, match="finished run"):
        two_stages(tmp_path, tmp_path / "x")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"dim": 16}, "set dim to 8"),
        ({"alignment": "tight"}, "alignment 'similarity', expected the recipe's 'tight'"),
    ],
)
def test_models_that_cannot_meet_are_refused_before_pictures_are_read(
    init: Path, tmp_path: Path, changed: dict, expected: str
) -> None:
    recipe = dataclasses.replace(RECIPE, **changed)
    with pytest.raises(DataError, match=expected):
        open_material(recipe, tmp_path / "no data here", tmp_path, open_model=OldColours)
    with pytest.raises(DataError, match="expected open_model"):
        open_material(recipe, tmp_path, tmp_path)
