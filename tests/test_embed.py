from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import TensorProto, helper, numpy_helper

from facespace.distances import distance
from facespace.embed import Embedder, dequantise, fit_byte_scale, prepare, quantise
from facespace.errors import InputError, ModelError
from facespace.models import ModelSpec, write_spec


def save_flattening_model(path: Path, *, batch: int | str = "n", **spec: object) -> Path:
    """A model of 2x2 pictures whose embedding is its 12 input values: preprocessing shows through."""
    shape = numpy_helper.from_array(np.array([-1, 12]), "shape")
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 12])],
        [shape],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    write_spec(path, ModelSpec("flat", "1", "embedder", (2, 2), dim=12, byte_scale=100.0, **spec))  # type: ignore[arg-type]
    return path


def crops_of(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.integers(0, 256, (n, 2, 2, 3)).astype(np.uint8)


def test_no_crops_give_no_rows(tmp_path: Path) -> None:
    embedder = Embedder(save_flattening_model(tmp_path / "m.onnx"))
    assert embedder.embed(np.zeros((0, 2, 2, 3), np.uint8)).shape == (0, 12)


@pytest.mark.parametrize("batch", ["n", 1, 3], ids=["free batch", "one", "three"])
@pytest.mark.parametrize(("colour", "mean", "std"), [("RGB", 127.5, 127.5), ("BGR", 10.0, 50.0)])
def test_preprocessing_follows_the_spec(
    tmp_path: Path, rng: np.random.Generator, batch: int | str, colour: str, mean: float, std: float
) -> None:
    path = save_flattening_model(tmp_path / "m.onnx", batch=batch, colour=colour, mean=mean, std=std)
    crops = crops_of(rng, 6)
    pixels = crops.astype(float) if colour == "RGB" else crops[..., ::-1].astype(float)
    expected = ((pixels - mean) / std).transpose(0, 3, 1, 2).reshape(6, 12)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(Embedder(path, batch_size=4).embed(crops), expected, atol=1e-6)


def test_a_fixed_batch_takes_any_number_of_crops(tmp_path: Path, rng: np.random.Generator) -> None:
    embedder = Embedder(save_flattening_model(tmp_path / "m.onnx", batch=4))
    crops = crops_of(rng, 7)
    singly = np.concatenate([embedder.embed(crop[None]) for crop in crops])
    np.testing.assert_allclose(embedder.embed(crops), singly, atol=1e-6)


def test_flip_adds_the_mirror_image(tmp_path: Path, rng: np.random.Generator) -> None:
    embedder = Embedder(save_flattening_model(tmp_path / "m.onnx"))
    crops = crops_of(rng, 3)
    both = embedder.embed(crops) + embedder.embed(np.ascontiguousarray(crops[:, :, ::-1]))
    expected = both / np.linalg.norm(both, axis=1, keepdims=True)
    np.testing.assert_allclose(embedder.embed(crops, flip=True), expected, atol=1e-6)


@pytest.mark.parametrize(
    "crops", [np.zeros((2, 2, 3), np.uint8), np.zeros((1, 2, 3, 3), np.uint8), np.zeros((1, 2, 2, 3))]
)
def test_crops_of_another_kind_are_refused(tmp_path: Path, crops: np.ndarray) -> None:
    embedder = Embedder(save_flattening_model(tmp_path / "m.onnx"))
    with pytest.raises(InputError, match=r"expected uint8 of shape \(N, 2, 2, 3\)"):
        embedder.embed(crops)


def test_a_detector_is_no_embedder(tmp_path: Path) -> None:
    path = save_flattening_model(tmp_path / "m.onnx")
    write_spec(path, ModelSpec("d", "1", "detector", (0, 0)))
    with pytest.raises(ModelError, match="this model is a detector"):
        Embedder(path)


def test_a_damaged_model_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x01")
    write_spec(path, ModelSpec("d", "1", "embedder", (2, 2)))
    with pytest.raises(ModelError, match=r"^[^\n]*cannot load this model[^\n]*$"):
        Embedder(path)


unit_rows = arrays(np.float32, (5, 128), elements=st.floats(-1, 1, width=32)).filter(
    lambda rows: (np.linalg.norm(rows, axis=1) > 0.5).all()
)


@settings(max_examples=50, deadline=None)
@given(unit_rows)
def test_bytes_keep_directions(rows: np.ndarray) -> None:
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    templates = quantise(rows, 299.3)
    assert templates.dtype == np.int8 and np.abs(templates.astype(int)).max() <= 127
    inside = np.abs(rows).max(axis=1) * 299.3 <= 127
    assert (distance(rows, dequantise(templates))[inside] < 128 * (0.51 / 299.3) ** 2).all()


def test_quantising_is_stable_and_needs_a_scale() -> None:
    row = np.array([[0.6, -0.8, 0.0]], np.float32)
    assert quantise(row, 100).tolist() == [[60, -80, 0]]
    assert quantise(dequantise(quantise(row, 100)), 100).tolist() == [[60, -80, 0]]
    with pytest.raises(InputError, match="byte_scale"):
        quantise(row, 0.0)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("colour", ["RGB", "BGR"])
@pytest.mark.parametrize(
    "scaling",
    [
        {"mean": 127.5, "std": 128.0},
        {"mean": (1.0, 2.0, 3.0), "std": (4.0, 5.0, 6.0)},
        {"scaling": "per_image"},
    ],
)
def test_crops_are_prepared_as_pixel_by_pixel(
    rng: np.random.Generator, layout: str, colour: str, scaling: dict[str, object]
) -> None:
    spec = ModelSpec("m", "1", "embedder", (3, 4), input_layout=layout, colour=colour, **scaling)  # type: ignore[arg-type]
    crops = rng.integers(0, 256, (2, 3, 4, 3)).astype(np.uint8)
    got = prepare(crops, spec)
    assert got.dtype == np.float32 and got.flags.c_contiguous
    for n, y, x, c in np.ndindex(2, 3, 4, 3):
        value = float(crops[n, y, x, c if colour == "RGB" else 2 - c])
        if spec.scaling == "per_image":
            expected = (value - crops[n].astype(float).mean()) / crops[n].astype(float).std()
        else:
            mean, std = np.broadcast_to(spec.mean, 3)[c], np.broadcast_to(spec.std, 3)[c]
            expected = (value - mean) / std
        assert got[(n, c, y, x) if layout == "NCHW" else (n, y, x, c)] == pytest.approx(expected, abs=1e-4)


def test_a_crop_of_one_colour_stays_finite() -> None:
    spec = ModelSpec("m", "1", "embedder", (3, 4), scaling="per_image")
    assert (prepare(np.full((1, 3, 4, 3), 9, np.uint8), spec) == 0).all()


def test_the_fitted_byte_scale_is_better_than_its_neighbours(rng: np.random.Generator) -> None:
    rows = rng.normal(size=(500, 128)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    scale = fit_byte_scale(rows)
    loss = {f: distance(dequantise(quantise(rows, scale * f)), rows).mean() for f in (0.7, 1.0, 1.4)}
    assert loss[1.0] < min(loss[0.7], loss[1.4])
    with pytest.raises(InputError, match="at least one row"):
        fit_byte_scale(rows[:0])
