"""The smoke recipe on real faces: it learns, and it could not if the labels meant nothing."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from facespace.metrics import all_pairs
from facespace.training.data import Faces
from facespace.training.loop import embed_faces, make_network
from facespace.training.recipe import Recipe, read_recipe

RECIPE: Recipe = read_recipe(Path(__file__).parents[2] / "recipes" / "smoke.toml")
LEAST_GAIN = 0.10


def untrained_val(watched: Faces) -> float:
    embeddings = embed_faces(make_network(RECIPE), watched, np.arange(len(watched)))
    tar = all_pairs(embeddings, watched.labels)[0].tar
    assert tar is not None
    return tar


@pytest.mark.timeout(1200)
def test_val_rises_by_ten_points(smoke_run: tuple[Path, float], smoke_watched: Faces) -> None:
    assert smoke_run[1] >= untrained_val(smoke_watched) + LEAST_GAIN


@pytest.mark.timeout(1200)
def test_it_does_not_when_labels_are_shuffled(
    train_smoke, smoke_faces: Faces, smoke_watched: Faces, tmp_path: Path
) -> None:
    labels = np.random.default_rng(0).permutation(smoke_faces.labels)
    shuffled = dataclasses.replace(smoke_faces, labels=labels)
    assert train_smoke(RECIPE, shuffled, tmp_path) < untrained_val(smoke_watched) + LEAST_GAIN / 2
