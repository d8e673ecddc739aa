import dataclasses
from pathlib import Path

import numpy as np
import onnx
import pytest

from facespace.embed import Embedder
from facespace.errors import InputError
from facespace.models import read_spec, write_spec
from facespace.models.summary import summarise
from facespace.training.export import export_embedder
from facespace.training.windows import WINDOWS, Window, export_windows
from finished import finished_run

SIDE, MARGIN = 112, 4


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("windows")
    finished_run(folder)
    export_embedder(folder, folder / "m.onnx", training_data="noise", licence="none")
    spec = read_spec(folder / "m.onnx")
    write_spec(folder / "m.onnx", dataclasses.replace(spec, distances={"1e-3": 1.2}, calibration="noise"))
    return folder / "m.onnx"


def by_hand(model: Path, crops: np.ndarray, windows: tuple[Window, ...]) -> np.ndarray:
    """The direction of the sum of what the network gives for each window alone."""
    total = np.zeros((len(crops), 32))
    for window in windows:
        top, left = window.down * MARGIN, window.right * MARGIN
        part = crops[:, top : top + SIDE, left : left + SIDE]
        total += Embedder(model).embed(part[:, :, ::-1] if window.mirrored else part)
    return total / np.linalg.norm(total, axis=1, keepdims=True)


@pytest.mark.parametrize(
    "windows", [WINDOWS, (Window(0, 0),), (Window(0, 0, mirrored=True), Window(2, 2, mirrored=True))]
)
def test_a_run_embeds_every_window_and_adds(
    windows: tuple[Window, ...], model: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    spec = export_windows(model, tmp_path / "w.onnx", windows)
    assert spec.input_hw == (SIDE + 2 * MARGIN,) * 2 and not spec.distances and not spec.calibration
    crops = rng.integers(0, 256, (3, *spec.input_hw, 3)).astype(np.uint8)
    embedder = Embedder(tmp_path / "w.onnx")
    np.testing.assert_allclose(embedder.embed(crops), by_hand(model, crops, windows), atol=1e-5)
    np.testing.assert_allclose(embedder.embed(crops[1:2]), embedder.embed(crops)[1:2], atol=1e-5)
    once, summary = summarise(model), summarise(tmp_path / "w.onnx")
    assert summary.weights == once.weights
    assert summary.multiply_adds == len(windows) * once.multiply_adds


def test_a_model_of_windows_takes_its_own_place(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(model.read_bytes())
    assert export_windows(path, path).sha256 == read_spec(path).sha256 != read_spec(model).sha256
    assert list(tmp_path.iterdir()) == [path]


def test_a_model_of_one_picture_at_a_time_is_refused(model: Path, tmp_path: Path) -> None:
    file = onnx.load(model)
    file.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(file, tmp_path / "m.onnx")
    with pytest.raises(InputError, match="any number of pictures of 3x112x112, got"):
        export_windows(tmp_path / "m.onnx", tmp_path / "w.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
