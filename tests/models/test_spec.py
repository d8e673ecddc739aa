import dataclasses
from pathlib import Path

import onnx
import pytest
from onnx import helper

from facespace.errors import IncompatibleModelsError, ModelError
from facespace.models import (
    FARS,
    ModelSpec,
    common_threshold,
    far_key,
    find_model,
    read_spec,
    write_metadata,
    write_spec,
)

SPEC = ModelSpec(
    "tiny", "1", "embedder", (112, 112), sha256="a" * 64, distances={"1e-2": 1.2, "1e-3": 0.9, "1e-6": None}
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    onnx.save(helper.make_model(helper.make_graph([], "g", [], [])), path)
    return path


def test_far_keys_are_the_texts_of_the_design() -> None:
    assert [far_key(far) for far in FARS] == ["1e-2", "1e-3", "1e-4", "1e-5", "1e-6"]
    assert far_key(0.0025) == "2.5e-3"


def test_a_spec_survives_the_file(model: Path) -> None:
    written = write_spec(model, SPEC)
    assert read_spec(model) == written
    assert dataclasses.replace(written, sha256=SPEC.sha256) == SPEC


def test_recalibration_keeps_the_hash(model: Path) -> None:
    first = write_spec(model, SPEC)
    second = write_spec(model, dataclasses.replace(first, distances={"1e-3": 0.5}))
    assert second.sha256 == first.sha256


@pytest.mark.parametrize("text", ["{", "[]", '{"name": 1}', '{"task": "cook"}'])
def test_a_spec_that_cannot_be_understood_names_the_file(model: Path, text: str) -> None:
    write_metadata(model, {"facespace": text})
    with pytest.raises(ModelError, match=r"tiny\.onnx"):
        read_spec(model)


def test_a_foreign_model_says_that_it_carries_no_spec(model: Path) -> None:
    with pytest.raises(ModelError, match="carries no ModelSpec"):
        read_spec(model)


def test_the_threshold_of_one_model_is_its_own() -> None:
    assert common_threshold(SPEC, SPEC, 1e-3) == 0.9


@pytest.mark.parametrize("far", [1e-6, 1e-4])
def test_a_far_without_a_distance_is_an_error_that_lists_the_others(far: float) -> None:
    with pytest.raises(ModelError, match="1e-2, 1e-3"):
        common_threshold(SPEC, SPEC, far)


def test_models_meet_only_if_one_declares_it() -> None:
    other = dataclasses.replace(SPEC, name="other", sha256="b" * 64)
    with pytest.raises(IncompatibleModelsError, match="same model"):
        common_threshold(SPEC, other, 1e-3)
    newer = dataclasses.replace(other, compatible_with={SPEC.sha256: {"1e-3": 0.7}})
    assert common_threshold(SPEC, newer, 1e-3) == common_threshold(newer, SPEC, 1e-3) == 0.7


def test_an_unknown_model_is_answered_with_what_there_is() -> None:
    with pytest.raises(ModelError, match="expected a built-in model"):
        find_model("no-such-model", "embedder")
