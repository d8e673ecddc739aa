from pathlib import Path

import numpy as np
import onnx
import pytest

from facespace.cli.model_export import export_run
from facespace.embed import Embedder
from facespace.errors import DataError, InputError
from facespace.measure.calibration import calibrate, declare_compatible
from facespace.measure.embedding import embed_faces
from facespace.measure.faces import open_crops
from facespace.metrics import all_pairs
from facespace.models import common_threshold, read_spec
from facespace.training.export import export_embedder
from facespace.training.int8 import evenly_drawn, export_int8
from facespace.training.run_folder import read_facts
from facespace.training.windows import WINDOWS, export_windows
from few_people import few_people
from finished import finished_run


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that nobody trained as a model of several windows."""
    folder = tmp_path_factory.mktemp("int8")
    finished_run(folder)
    path = folder / "original.onnx"
    export_embedder(folder, path, training_data="noise", licence="none")
    export_windows(path, path, WINDOWS[:2])
    return path


def test_the_twin_on_real_faces(original: Path, data: Path, tmp_path: Path) -> None:
    int8, size_hw = tmp_path / "int8.onnx", Embedder(original).spec.input_hw
    export_int8(original, int8, evenly_drawn(data / "faces" / "train", size_hw))
    assert int8.stat().st_size < 0.35 * original.stat().st_size
    operators = {node.op_type for node in onnx.load(int8).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators
    assert sorted(p.name for p in tmp_path.iterdir()) == ["int8.onnx"]
    val = open_crops(data / "faces" / "val").every(800)
    faces, of_original = (val.embedded(embed_faces(val, Embedder(path))[0]) for path in (int8, original))
    assert (faces.embeddings * of_original.embeddings).sum(1).mean() > 0.98
    tar, tar_original = (all_pairs(f.embeddings, f.labels, fars=(1e-3,))[0].tar for f in (faces, of_original))
    assert tar == pytest.approx(tar_original, abs=0.01)
    spec = calibrate(int8, Embedder(int8).spec, faces, source="faces/val")
    spec = declare_compatible(int8, spec, faces, other=Embedder(original).spec, of_other=of_original)
    assert spec.options["tar"] == tar
    assert spec.options["precision"] == "int8"
    mixed = common_threshold(spec, Embedder(original).spec, 1e-3)
    assert mixed == pytest.approx(common_threshold(spec, spec, 1e-3), abs=0.02)


def test_the_command_states_what_the_int8_version_loses(data: Path, tmp_path: Path) -> None:
    run, few = tmp_path / "run", few_people(data, tmp_path / "data", 24)
    run.mkdir()
    finished_run(run)
    (run / "recipe.json").write_text('{"data": {"train": "faces/val"}}')
    whole, int8 = export_run(run, tmp_path / "whole.onnx", int8=tmp_path / "int8.onnx", data=few)
    assert read_spec(tmp_path / "int8.onnx") == int8 and whole.sha256 in int8.compatible_with
    assert int8.options["tar_original"] == whole.options["tar"]
    assert int8.options["tar"] == pytest.approx(whole.options["tar"], abs=0.02)


@pytest.mark.parametrize("shape", [(0, 3, 120, 120), (2, 3, 120, 80), (2, 120, 120, 3)])
def test_pictures_of_another_size_are_refused(shape: tuple[int, ...], original: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected some of shape \(N, 3, 120, 120\)"):
        export_int8(original, tmp_path / "int8.onnx", np.zeros(shape, np.float32))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="resolved recipe"):
        read_facts(tmp_path)


def test_weights_kept_as_float16_come_back_under_their_names(original: Path, tmp_path: Path) -> None:
    from facespace.training.onnx_file import narrow_weights, widen_weights

    path = tmp_path / "model.onnx"
    model = onnx.load(original)
    names = [tensor.name for tensor in model.graph.initializer]
    onnx.save(model, path)
    size = path.stat().st_size
    narrow_weights(path)
    narrowed = onnx.load(path)
    widen_weights(narrowed)
    assert path.stat().st_size < 0.6 * size
    assert [tensor.name for tensor in narrowed.graph.initializer] == names
    assert [node.op_type for node in narrowed.graph.node] == [node.op_type for node in model.graph.node]
    crops = np.random.default_rng(0).integers(0, 256, (4, 120, 120, 3), np.uint8)
    np.testing.assert_allclose(Embedder(path).embed(crops), Embedder(original).embed(crops), atol=3e-3)
