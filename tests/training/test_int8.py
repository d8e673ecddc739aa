from pathlib import Path

import numpy as np
import onnx
import pytest

from facespace.embed import Embedder
from facespace.errors import DataError, InputError
from facespace.measure.calibration import calibrate_twin
from facespace.measure.faces import EmbeddedFaces
from facespace.metrics import all_pairs
from facespace.models import common_threshold, find_model
from facespace.training.int8 import export_int8, training_inputs


def twin(folder: Path, inputs: np.ndarray) -> tuple[Path, Path]:
    original = find_model(None, "embedder")
    export_int8(original, folder / "int8.onnx", inputs)
    return original, folder / "int8.onnx"


def inputs_of(crops: np.ndarray) -> np.ndarray:
    return (crops.transpose(0, 3, 1, 2).astype(np.float32) - 127.5) / 127.5


def test_the_twin_of_the_shipped_embedder_on_real_faces(data: Path, tmp_path: Path) -> None:
    from facespace.training.data import open_faces

    size_hw = Embedder().spec.input_hw
    train = open_faces(data / "faces" / "train", size_hw=size_hw, cache_bytes=0)
    original, int8 = twin(tmp_path, inputs_of(train.crops(np.arange(0, len(train), 300))))
    assert int8.stat().st_size < 2_200_000
    assert int8.stat().st_size < 0.62 * original.stat().st_size
    operators = {node.op_type for node in onnx.load(int8).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators
    assert sorted(p.name for p in tmp_path.iterdir()) == ["int8.onnx"]
    val = open_faces(data / "faces" / "val", size_hw=size_hw, cache_bytes=0)
    chosen = np.arange(0, len(val), 2)
    faces, of_original = (
        EmbeddedFaces(e.embed(val.crops(chosen)), val.labels[chosen], val.identities)
        for e in (Embedder(int8), Embedder(original))
    )
    tar, tar_original = (all_pairs(f.embeddings, f.labels, fars=(1e-3,))[0].tar for f in (faces, of_original))
    assert tar == pytest.approx(tar_original, abs=0.01)
    spec = calibrate_twin(
        int8,
        Embedder(int8).spec,
        faces,
        original=Embedder(original).spec,
        of_original=of_original,
        source="half of faces/val",
    )
    assert (spec.options["tar"], spec.options["tar_original"]) == (tar, tar_original)
    assert spec.options["precision"] == "int8"
    mixed = common_threshold(spec, Embedder(original).spec, 1e-3)
    assert mixed == pytest.approx(common_threshold(spec, spec, 1e-3), abs=0.02)


@pytest.mark.parametrize("shape", [(0, 3, 80, 80), (2, 3, 112, 80), (2, 80, 80, 3)])
def test_pictures_of_another_size_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected some of shape \(N, 3, 96, 96\)"):
        twin(tmp_path, np.zeros(shape, np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="finished run"):
        training_inputs(tmp_path, tmp_path)


def test_weights_kept_as_float16_come_back_under_their_names(tmp_path: Path) -> None:
    from facespace.training.onnx_file import narrow_weights, widen_weights

    path = tmp_path / "model.onnx"
    model = onnx.load(find_model("facespace-xs", "embedder"))
    widen_weights(model)
    names = [tensor.name for tensor in model.graph.initializer]
    onnx.save(model, path)
    size = path.stat().st_size
    narrow_weights(path)
    narrowed = onnx.load(path)
    widen_weights(narrowed)
    assert path.stat().st_size < 0.6 * size
    assert [tensor.name for tensor in narrowed.graph.initializer] == names
    assert [node.op_type for node in narrowed.graph.node] == [node.op_type for node in model.graph.node]
    crops = np.random.default_rng(0).integers(0, 256, (4, 80, 80, 3), np.uint8)
    np.testing.assert_allclose(Embedder(path).embed(crops), Embedder("facespace-xs").embed(crops), atol=1e-3)
