"""The smoke recipe on real faces: it learns, and it could not if the labels meant nothing."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from facespace.metrics import all_pairs
from facespace.training.data import Faces, open_faces
from facespace.training.loop import Trainer, embed_faces, make_network
from facespace.training.recipe import read_recipe

RECIPE = read_recipe(Path(__file__).parents[2] / "recipes" / "smoke.toml")
SIDE = (RECIPE.input_px, RECIPE.input_px)
LEAST_GAIN = 0.10


@pytest.fixture(scope="module")
def training(data: Path) -> Faces:
    return open_faces(data / RECIPE.data.train, size_hw=SIDE).of_several(RECIPE.data.least_faces)


@pytest.fixture(scope="module")
def watched(data: Path) -> Faces:
    return open_faces(data / RECIPE.data.validation, size_hw=SIDE)


def val_after(faces: Faces, watched: Faces, out: Path) -> float:
    """VAL at FAR 1e-3 at the end of the recipe."""
    return Trainer(RECIPE, faces, out, validation=watched).run()[-1].tar


def untrained_val(watched: Faces) -> float:
    embeddings = embed_faces(make_network(RECIPE), watched, np.arange(len(watched)))
    tar = all_pairs(embeddings, watched.labels)[0].tar
    assert tar is not None
    return tar


@pytest.mark.timeout(1200)
def test_val_rises_by_ten_points(training: Faces, watched: Faces, tmp_path: Path) -> None:
    assert val_after(training, watched, tmp_path) >= untrained_val(watched) + LEAST_GAIN


@pytest.mark.timeout(1200)
def test_it_does_not_when_labels_are_shuffled(training: Faces, watched: Faces, tmp_path: Path) -> None:
    labels = np.random.default_rng(0).permutation(training.labels)
    shuffled = dataclasses.replace(training, labels=labels)
    assert val_after(shuffled, watched, tmp_path) < untrained_val(watched) + LEAST_GAIN / 2
