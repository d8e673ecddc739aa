"""The built-in models on the real data: every model in turn, then figures that a regression would move."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facespace
from facespace.cluster import add_faces, agglomerative, collection_threshold
from facespace.distances import distance
from facespace.embed import Embedder, dequantise, quantise
from facespace.gallery import read_labels
from facespace.measure.calibration import EVERYONE, MIXED, PUBLIC_FIGURES, STRICTEST
from facespace.measure.context import Context, Setup
from facespace.measure.embedding import embed_faces
from facespace.measure.experiments import lfw
from facespace.measure.experiments.album import evaluate_album, extract_album
from facespace.measure.experiments.identification import evaluate_identification
from facespace.measure.experiments.quality import drop_worst, measure_quality
from facespace.measure.faces import EmbeddedFaces, open_crops
from facespace.measure.holdout import evaluate_holdout
from facespace.measure.unnamed_faces import embed_unnamed, open_unnamed
from facespace.metrics import all_pairs, pairwise_scores, rates_at
from facespace.models import (
    BUILT_IN,
    ModelSpec,
    built_in_models,
    common_threshold,
    find_model,
    find_weights,
    weights_sha256,
)
from facespace.models.summary import summarise
from lab.cards.cross_fit import cross_fit

SPECS = built_in_models()
# What an exporter's notes hold: stack traces, and paths of the machine.
TRACES = (
    b"stack_trace",
    b"site-packages",
    b'File "',
    b"Traceback",
    b"/work/",
    b"/root/",
    b"/home/",
    b"/usr/",
)
EMBEDDERS = [spec for spec in SPECS if spec.task == "embedder"]


def card_of(name: str) -> dict[str, Any]:
    """What `python -m lab.cards` measured of a model, as docs/models keeps it."""
    path = Path(facespace.__file__).parents[2] / "docs" / "models" / f"{name}.json"
    figures: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return figures


def test_the_defaults_are_built_in_and_former_names_still_mean_a_model() -> None:
    assert set(BUILT_IN.values()) <= {spec.name for spec in SPECS}
    assert find_model("facespace-s-int8", "embedder") == find_model("facespace-s", "embedder")


def test_a_model_is_found_by_its_weights() -> None:
    for spec in built_in_models():
        assert find_weights(spec.sha256) == find_model(spec.name, spec.task)
    assert find_weights("0" * 64) is None


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_a_built_in_model_says_all_of_itself(spec: ModelSpec) -> None:
    path = find_model(spec.name, spec.task)
    assert spec.sha256 == weights_sha256(path)
    assert {spec.training_data, spec.licence}.isdisjoint({"", "not stated"})
    assert path.stat().st_size <= (6e6 if spec.task == "embedder" else 1.5e6)
    summary = summarise(path)
    assert summary.weights == sum(layer.weights for layer in summary.layers) > 1e5
    # As bytes but for the first and last layers.
    assert summary.weights < path.stat().st_size < 1.6 * summary.weights + 1e5


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_a_built_in_model_tells_nothing_of_the_machine_that_made_it(spec: ModelSpec) -> None:
    content = find_model(spec.name, spec.task).read_bytes()
    assert [mark for mark in TRACES if mark in content] == []


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
    card = card_of("facespace-s")
    assert [summary.weights, summary.multiply_adds, list(summary.input_hw)] == [
        card[key] for key in ("weights", "multiply_adds", "input_hw")
    ]
    assert summary.multiply_adds <= 425e6


@pytest.fixture(scope="module", params=[spec.name for spec in EMBEDDERS])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return Embedder(request.param)


@pytest.fixture(scope="module")
def val(data: Path, embedder: Embedder) -> EmbeddedFaces:
    faces = open_crops(data / "faces" / "val")
    return faces.embedded(embed_faces(faces, embedder)[0])


def context_of(embedder: Embedder, data: Path) -> Context:
    context = Context(Setup(data))
    vars(context)["embedder"] = embedder
    return context


def test_val_at_far_on_the_hold_out_faces(val: EmbeddedFaces, embedder: Embedder) -> None:
    result, card = evaluate_holdout(val), card_of(embedder.spec.name)["holdout"]
    for key in ("n_same", "n_diff", "n_faces", "n_identities"):
        assert getattr(result, key) == card[key]
    for far in ("1e-2", "1e-3", "1e-4"):
        assert result.tar[far]["all"] == pytest.approx(card["tar"][far]["all"], abs=0.003)
    assert result.tar["1e-6"]["all"] is None


def test_the_spec_holds_the_thresholds_of_the_hold_out_faces(val: EmbeddedFaces, embedder: Embedder) -> None:
    spec = embedder.spec
    assert list(spec.populations) == [EVERYONE, MIXED, STRICTEST, PUBLIC_FIGURES]
    for key, found in evaluate_holdout(val).threshold.items():
        held = spec.populations[PUBLIC_FIGURES][key]
        assert (found is None) == (held is None)
        if found is not None:
            assert held == pytest.approx(found, abs=2e-3)
            assert spec.distances[key] == spec.populations[EVERYONE][key] <= held


@pytest.mark.parametrize(("kind", "group", "most"), [("age", "0 to 9", 5.0), ("origin", "Black", 3.5)])
def test_the_stated_rate_holds_among_people_whom_public_figures_do_not_show(
    data: Path, embedder: Embedder, kind: str, group: str, most: float
) -> None:
    if not (data / "faces" / "more").is_dir():
        pytest.skip("there are no faces by age and origin in the data folder")
    faces = open_unnamed(data / "faces" / "more")
    (members,) = (g.members for g in faces.groups() if (g.kind, g.name) == (kind, group))
    chosen = members[faces.held_out[members]]
    assert len(chosen) > 400
    rows = embed_unnamed(faces, chosen, context_of(embedder, data))
    rates = rates_at(rows, chosen, threshold=common_threshold(embedder.spec, embedder.spec, 1e-3), n_draws=10)
    assert rates.far is not None and 1e-4 < rates.far < most * 1e-3


def test_thresholds_from_other_people_do_as_well_as_the_card_says(
    val: EmbeddedFaces, embedder: Embedder
) -> None:
    for found, kept in zip(cross_fit(val, n_draws=20), card_of(embedder.spec.name)["cross_fit"], strict=True):
        assert found.tar == pytest.approx(kept["tar"], abs=0.004)
        assert found.far / 2 < found.far_met < 2 * found.far


def test_bytes_are_as_good_as_floats(val: EmbeddedFaces, embedder: Embedder) -> None:
    rows = dequantise(quantise(val.embeddings, embedder.spec.byte_scale))
    assert distance(rows, val.embeddings).max() < 2e-3
    floats, bytes_ = (all_pairs(r, val.labels, fars=(1e-3,))[0].tar for r in (val.embeddings, rows))
    assert bytes_ == pytest.approx(floats, abs=0.001)


def test_prototypes_identify_better_and_the_share_of_strangers_asked_for_is_met(
    val: EmbeddedFaces, embedder: Embedder
) -> None:
    result = evaluate_identification(val, embedder.spec.on_population(PUBLIC_FIGURES), n_draws=4)
    nearest, prototype = (
        {row.fpir: row for row in result.rows if row.method == name}
        for name in ("nearest template", "prototype")
    )
    assert result.rank_1["prototype"][0] > result.rank_1["nearest template"][0] > 0.85
    assert prototype[0.01].fnir < nearest[0.01].fnir - 0.02  # type: ignore[operator]
    for row in result.rows:
        assert 0.6 * row.fpir < row.fpir_met < 1.25 * row.fpir


def test_dropping_blurred_faces_helps_more_than_dropping_any(
    val: EmbeddedFaces, embedder: Embedder, data: Path
) -> None:
    result = drop_worst(val, measure_quality(context_of(embedder, data)), n_random=5, n_draws=100)
    assert result.gain == pytest.approx(card_of(embedder.spec.name)["quality"]["gain"], abs=0.006)
    assert result.gain > 0.005 and result.gain_interval.low > -0.003


def test_faces_added_in_parts_are_grouped_as_from_scratch(val: EmbeddedFaces, embedder: Embedder) -> None:
    limit = collection_threshold(embedder.spec.distances, len(val.labels)).distance
    order = np.random.default_rng(0).permutation(len(val.labels))
    rows, truth = val.embeddings[order], val.labels[order]
    labels = np.full(len(rows), -1)
    for end in np.linspace(0, len(rows), 5).astype(int)[1:]:
        labels[:end] = add_faces(rows[:end], labels[:end], threshold=limit)
    scratch = pairwise_scores(truth, agglomerative(rows, threshold=limit).labels.astype(np.int64)).f1
    assert scratch > 0.6
    assert pairwise_scores(truth, labels.astype(np.int64)).f1 > scratch - 0.03


def test_two_folds_of_lfw_with_our_own_detector(data: Path, tmp_path: Path) -> None:
    lines = (data / "lfw" / "pairs.txt").read_text(encoding="utf-8").splitlines()
    (tmp_path / "pairs.txt").write_text("\n".join(["2\t300", *lines[1:1201]]), encoding="utf-8")
    figures = lfw.run(Context(Setup(data)), pairs=tmp_path / "pairs.txt").figures
    assert figures["accuracy_mean"] == pytest.approx(0.987, abs=0.004)
    assert figures["tar"]["1e-1"] == pytest.approx(0.998, abs=0.003) and figures["detector_failures"] <= 2


@pytest.mark.slow
def test_lfw_with_our_own_detector(data: Path) -> None:
    figures = lfw.run(Context(Setup(data))).figures
    kept = card_of("facespace-s")["lfw"]["accuracy_mean"]
    assert figures["accuracy_mean"] == pytest.approx(kept, abs=0.004)
    assert figures["detector_failures"] <= 10


def test_the_album_of_thirty_people(data: Path) -> None:
    folder = data / "albums" / "people"
    faces = extract_album(Context(Setup(data)), folder, read_labels(folder / "labels.csv"))
    chosen = collection_threshold(Embedder().spec.distances, len(faces.embeddings))
    result = evaluate_album(faces, threshold=chosen.distance)
    assert result.n_photos == 650
    assert result.n_misses <= 7
    assert result.pairwise.f1 == pytest.approx(card_of("facespace-s")["album"]["pairwise"]["f1"], abs=0.02)
