from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from facespace.errors import ModelError
from facespace.models import read_metadata, weights_sha256, write_metadata


@pytest.fixture
def model(tmp_path: Path) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
    )
    path = tmp_path / "relu.onnx"
    onnx.save(helper.make_model(graph), path)
    return path


def test_a_new_model_has_no_metadata(model: Path) -> None:
    assert read_metadata(model) == {}


@settings(max_examples=30)
@given(first=st.dictionaries(st.text(max_size=300), st.text(max_size=300), max_size=4), value=st.text())
def test_what_is_written_is_what_onnx_and_we_read(
    tmp_path_factory: pytest.TempPathFactory, first: dict[str, str], value: str
) -> None:
    path = tmp_path_factory.mktemp("m") / "m.onnx"
    onnx.save(helper.make_model(helper.make_graph([], "g", [], [])), path)
    write_metadata(path, first)
    write_metadata(path, {"facespace": value})
    expected = {**first, "facespace": value}
    assert read_metadata(path) == expected
    assert {p.key: p.value for p in onnx.load(path).metadata_props} == expected


def test_the_hash_follows_the_weights_and_not_our_metadata(model: Path) -> None:
    before = weights_sha256(model)
    write_metadata(model, {"facespace": "{}"})
    assert weights_sha256(model) == before
    write_metadata(model, {"producer": "other"})
    assert weights_sha256(model) != before


@pytest.mark.parametrize("content", [b"\xff" * 40, b"not an onnx file at all", b"\x3a\xff\x01x"])
def test_another_kind_of_file_is_an_error_of_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"^[^\n]*expected an ONNX model[^\n]*$"):
        read_metadata(path)
    with pytest.raises(ModelError):
        write_metadata(path, {"a": "b"})
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"absent\.onnx"):
        read_metadata(tmp_path / "absent.onnx")
