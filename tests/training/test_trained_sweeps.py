import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawn import drawn_faces
from facespace.errors import InputError
from facespace.training.data import Faces, find_pictures
from facespace.training.data.pictures import Pictures
from facespace.training.feed import Feed
from facespace.training.parallel import World
from facespace.training.recipe import Batches, Data, Mining, Recipe
from facespace.training.sampler import TripletSampler
from facespace.training.sweeps import (
    SWEEP_RECIPE,
    dimension_variants,
    image_variants,
    low_resolution_variants,
    train_variants,
    with_budget,
)

TINY = dataclasses.replace(
    SWEEP_RECIPE,
    mining=Mining(rule="one-sided", margin=4.0),
    batches=Batches(batch_size=8, faces_per_identity=4),
    data=Data(validation=""),
    threads=1,
)


def draw_folders(root: Path) -> Path:
    faces = drawn_faces(6, 6)
    for i, (crop, label) in enumerate(zip(faces.crops(np.arange(len(faces))), faces.labels, strict=True)):
        path = root / f"p{label}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(crop).save(path)
    return root


def pictures(n_identities: int, n_each: int) -> Pictures:
    labels = np.repeat(np.arange(n_identities), n_each)
    names = tuple(f"p{label}/{i}.jpg" for i, label in enumerate(labels))
    people = tuple(f"p{i}" for i in range(n_identities))
    return Pictures(names, labels, people, (lambda: b"",) * len(labels))


def feed(recipe: Recipe, faces: Faces) -> Feed:
    return Feed(recipe, faces, None, World(), lambda idx: None)  # type: ignore[arg-type,return-value]


def portions(recipe: Recipe, faces: Faces, epoch: int, start: int = 0) -> list[list[int]]:
    return [p.items.tolist() for p in feed(recipe, faces).portions(epoch, start=start, step=0)]


@pytest.mark.parametrize("steps", [1, 3, 40])
def test_an_epoch_of_fixed_steps_has_as_many_whatever_the_faces(steps: int) -> None:
    recipe = dataclasses.replace(TINY, epoch_steps=steps)
    assert [len(portions(recipe, drawn_faces(n, 6, 28), 0)) for n in (3, 8)] == [steps, steps]


def test_fixed_epochs_follow_each_other_without_a_gap_and_go_on_anywhere() -> None:
    faces = drawn_faces(6, 6, 28)
    whole = portions(dataclasses.replace(TINY, epoch_steps=12), faces, 0)
    parts = [portions(dataclasses.replace(TINY, epoch_steps=4), faces, epoch) for epoch in range(3)]
    assert [batch for part in parts for batch in part] == whole
    assert portions(dataclasses.replace(TINY, epoch_steps=4), faces, 1, start=3) == whole[7:8]


@pytest.mark.parametrize("epoch_steps", [0, 4])
def test_each_batch_of_a_run_is_built_once(epoch_steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    built, batches = [], TripletSampler.batches

    def counted(sampler: TripletSampler, epoch: int) -> Iterator[np.ndarray]:
        for batch in batches(sampler, epoch):
            built.append(batch)
            yield batch

    monkeypatch.setattr(TripletSampler, "batches", counted)
    one = feed(dataclasses.replace(TINY, epoch_steps=epoch_steps), drawn_faces(6, 6, 28))
    shown = [p for e in range(3) for p in one.portions(e, start=0, step=0) if one.n_steps(e)]
    assert len(built) == len(shown) >= 12


@pytest.mark.parametrize(("budget", "steps"), [(32, 1), (330, 10)])
def test_a_budget_is_so_many_faces(budget: int, steps: int) -> None:
    recipe = with_budget(TINY, budget)
    assert (recipe.epochs, recipe.epoch_steps) == (4, steps)
    assert recipe.epochs * recipe.epoch_steps * recipe.batches.batch_size <= budget


def test_a_budget_of_less_than_a_batch_is_refused() -> None:
    with pytest.raises(InputError, match="32 faces or more"):
        with_budget(TINY, 31)


def test_fewer_images_in_two_ways_equally_many_and_nested() -> None:
    shown = pictures(40, 5)
    variants = image_variants(TINY, shown, (0.25, 0.5, 1.0))
    assert [v.name for v in variants] == [
        "images-by-image-50", "images-by-image-100", "base", "images-by-identity-50", "images-by-identity-100",
    ]  # fmt: skip
    by_image, by_identity = variants[:2], variants[3:]
    for smaller, larger in (by_image, by_identity):
        assert set(smaller.kept) < set(larger.kept)
    assert len(set(shown.labels[by_identity[0].kept])) == 10 < len(set(shown.labels[by_image[0].kept]))
    assert {v.recipe for v in variants} == {TINY}


def test_the_variants_of_other_sweeps_differ_in_one_thing() -> None:
    assert [(v.name, v.recipe.dim) for v in dimension_variants(TINY)] == [
        ("dim-64", 64), ("base", 128), ("dim-256", 256), ("dim-512", 512),
    ]  # fmt: skip
    with_low, without = low_resolution_variants(TINY)
    assert with_low.recipe == TINY and without.recipe.augmentation.low_resolution == 0.0
    restored = dataclasses.replace(
        without.recipe.augmentation, low_resolution=TINY.augmentation.low_resolution
    )
    assert dataclasses.replace(without.recipe, augmentation=restored) == TINY


def test_a_subset_is_trained_from_a_list_that_says_which_images(tmp_path: Path) -> None:
    root = draw_folders(tmp_path / "faces" / "train")
    out = tmp_path / "sweeps"
    half = image_variants(with_budget(TINY, 32), find_pictures(root), (0.5,))[1]
    assert train_variants([half], tmp_path, out) == [out / "images-by-identity-18"]
    facts = json.loads((out / half.name / "recipe.json").read_text())
    assert (facts["n_faces"], facts["n_identities"]) == (18, 3)
    listed = find_pictures(out / half.name / "faces.csv")
    assert len(listed) == 18 and all(Path(name).parent.parent == root.resolve() for name in listed.names)
