"""The built-in models on the real data: every model in turn, then figures that a regression would move."""

from pathlib import Path

import numpy as np
import pytest

from facespace.cluster import add_faces, agglomerative, collection_threshold
from facespace.distance import distance
from facespace.embed import Embedder, dequantise, quantise
from facespace.evaluate.album import AlbumFaces, evaluate_album, extract_album, read_labels
from facespace.evaluate.holdout import HoldoutFaces, embed_holdout, evaluate_holdout
from facespace.evaluate.lfw import evaluate_lfw
from facespace.faces.detect import Detector
from facespace.metrics import all_pairs, pairwise_scores
from facespace.models import BUILT_IN, ModelSpec, built_in_models, find_model, weights_sha256
from facespace.models.summary import summarise

SPECS = built_in_models()
EMBEDDERS = [spec for spec in SPECS if spec.task == "embedder"]


def test_the_defaults_are_built_in() -> None:
    assert set(BUILT_IN.values()) <= {spec.name for spec in SPECS}


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_a_built_in_model_says_all_of_itself(spec: ModelSpec) -> None:
    path = find_model(spec.name, spec.task)
    assert spec.sha256 == weights_sha256(path)
    assert spec.training_data and spec.licence
    assert path.stat().st_size <= (6e6 if spec.task == "embedder" else 1.5e6)
    summary = summarise(path)
    assert summary.weights == sum(layer.weights for layer in summary.layers) > 1e5
    assert 4 * summary.weights < path.stat().st_size < 4.2 * summary.weights + 1e5


@pytest.mark.parametrize("spec", EMBEDDERS, ids=lambda s: s.name)
def test_an_embedder_gives_unit_rows_whatever_the_batch(spec: ModelSpec, rng: np.random.Generator) -> None:
    embedder = Embedder(spec.name)
    crops = rng.integers(0, 255, (9, *spec.input_hw, 3)).astype(np.uint8)
    rows = embedder.embed(crops)
    assert rows.shape == (9, spec.dim)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    singly = np.concatenate([embedder.embed(crop[None]) for crop in crops])
    np.testing.assert_allclose(singly, rows, atol=1e-4)
    np.testing.assert_array_equal(rows, embedder.embed(crops))
    assert embedder.embed(crops[:0]).shape == (0, spec.dim)


def test_a_layer_costs_what_the_architecture_says() -> None:
    summary = summarise(find_model("facespace-s", "embedder"))
    assert (summary.weights, summary.multiply_adds, summary.input_hw) == (1_007_784, 57_509_280, (80, 80))


@pytest.fixture(scope="module")
def val(data: Path) -> HoldoutFaces:
    return embed_holdout(data / "faces" / "val", Embedder())


@pytest.fixture(scope="module")
def album(data: Path) -> AlbumFaces:
    folder = data / "albums" / "people"
    return extract_album(folder, read_labels(folder / "labels.csv"), Detector(), Embedder())


def test_val_at_far_on_the_hold_out_faces(val: HoldoutFaces) -> None:
    result = evaluate_holdout(val)
    assert (result.n_same, result.n_diff, result.n_faces, result.n_identities) == (36069, 4387756, 2975, 128)
    assert result.tar["1e-2"]["all"] == pytest.approx(GOLDEN["val 1e-2"], abs=0.003)
    assert result.tar["1e-3"]["all"] == pytest.approx(GOLDEN["val 1e-3"], abs=0.003)
    assert result.tar["1e-6"]["all"] is None


def test_the_spec_holds_the_thresholds_of_the_hold_out_faces(val: HoldoutFaces) -> None:
    spec = Embedder().spec
    for key, found in evaluate_holdout(val).threshold.items():
        assert (found is None) == (spec.distances[key] is None)
        if found is not None:
            assert spec.distances[key] == pytest.approx(found, abs=2e-3)


def test_bytes_are_as_good_as_floats(val: HoldoutFaces) -> None:
    rows = dequantise(quantise(val.embeddings, Embedder().spec.byte_scale))
    assert distance(rows, val.embeddings).max() < 2e-3
    floats, bytes_ = (all_pairs(r, val.labels, fars=(1e-3,))[0].tar for r in (val.embeddings, rows))
    assert bytes_ == pytest.approx(floats, abs=0.001)


def test_faces_added_in_parts_are_grouped_as_from_scratch(val: HoldoutFaces) -> None:
    limit = collection_threshold(Embedder().spec.distances, len(val.labels)).distance
    order = np.random.default_rng(0).permutation(len(val.labels))
    rows, truth = val.embeddings[order], val.labels[order]
    labels = np.full(len(rows), -1)
    for end in np.linspace(0, len(rows), 5).astype(int)[1:]:
        labels[:end] = add_faces(rows[:end], labels[:end], threshold=limit)
    scratch = pairwise_scores(truth, agglomerative(rows, threshold=limit).labels.astype(np.int64)).f1
    assert scratch > 0.7
    assert pairwise_scores(truth, labels.astype(np.int64)).f1 > scratch - 0.02


def test_lfw_with_our_own_detector(data: Path) -> None:
    result = evaluate_lfw(data / "lfw", Embedder(), Detector())
    assert result.accuracy_mean == pytest.approx(GOLDEN["lfw"], abs=0.004)
    assert result.detector_failures <= 10


def test_the_album_of_thirty_people(album: AlbumFaces) -> None:
    chosen = collection_threshold(Embedder().spec.distances, len(album.embeddings))
    result = evaluate_album(album, threshold=chosen.distance)
    assert result.n_photos == 650
    assert result.n_misses <= 6
    assert result.pairwise.f1 == pytest.approx(GOLDEN["album"], abs=0.02)


# Measured by the commands of docs/models/facespace-s.md.
GOLDEN = {"val 1e-2": 0.7903, "val 1e-3": 0.5966, "lfw": 0.9480, "album": 0.837}
