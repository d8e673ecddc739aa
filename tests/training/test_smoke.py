"""The smoke recipe on real faces: it learns, and it could not if the labels meant nothing.

Eighty steps show it in every run of the tests; the whole recipe belongs to `make slow`.
"""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from facespace.metrics import all_pairs
from facespace.training.data import Faces
from facespace.training.loop import Trainer, embed_faces
from facespace.training.material import Material
from facespace.training.networks import make_network
from facespace.training.recipe import Recipe, read_recipe

RECIPE: Recipe = read_recipe(Path(__file__).parents[2] / "recipes" / "smoke.toml")
LEAST_GAIN = 0.10
BRIEF = dataclasses.replace(
    RECIPE, epochs=1, epoch_steps=80, threads=1, data=dataclasses.replace(RECIPE.data, validation="")
)


def val_of(network: nn.Module, watched: Faces, far: float = 1e-3) -> float:
    embeddings = embed_faces(network, watched, np.arange(len(watched)))
    tar = all_pairs(embeddings, watched.labels, fars=(far,))[0].tar
    assert tar is not None
    return tar


def untrained_val(watched: Faces) -> float:
    return val_of(make_network(RECIPE), watched)


def shuffled(faces: Faces) -> Faces:
    return dataclasses.replace(faces, labels=np.random.default_rng(0).permutation(faces.labels))


def test_eighty_steps_learn_from_labels_and_not_from_shuffled_ones(
    smoke_faces: Faces, smoke_watched: Faces, tmp_path: Path
) -> None:
    """TAR at FAR 1e-2: 3.7 % untrained, 10.1 % after eighty steps, 4.3 % with shuffled labels."""
    reached = {}
    for name, faces in (("true", smoke_faces), ("shuffled", shuffled(smoke_faces))):
        trainer = Trainer(BRIEF, Material(faces), tmp_path / name)
        trainer.run()
        reached[name] = val_of(trainer.network, smoke_watched, 1e-2)
    untrained = val_of(make_network(BRIEF), smoke_watched, 1e-2)
    assert reached["true"] > untrained + 0.04, (untrained, reached)
    assert reached["shuffled"] < untrained + 0.02, (untrained, reached)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_val_rises_by_ten_points(smoke_run: tuple[Path, float], smoke_watched: Faces) -> None:
    assert smoke_run[1] >= untrained_val(smoke_watched) + LEAST_GAIN


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_it_does_not_when_labels_are_shuffled(
    train_smoke, smoke_faces: Faces, smoke_watched: Faces, tmp_path: Path
) -> None:
    assert (
        train_smoke(RECIPE, shuffled(smoke_faces), tmp_path) < untrained_val(smoke_watched) + LEAST_GAIN / 2
    )
