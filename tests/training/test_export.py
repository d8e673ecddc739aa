from pathlib import Path

import numpy as np
import onnx
import pytest

from facespace.embed import Embedder
from facespace.errors import DataError
from facespace.training.data import Faces
from facespace.training.export import byte_scale, export_embedder
from facespace.training.loop import embed_faces
from finished import finished_run


def test_the_file_gives_what_the_network_gives(tmp_path: Path, rng: np.random.Generator) -> None:
    network = finished_run(tmp_path)
    spec = export_embedder(tmp_path, tmp_path / "m.onnx", training_data="noise", licence="none")
    assert (spec.name, spec.version, spec.dim, spec.alignment) == ("tiny", "3", 32, "similarity")
    crops = rng.integers(0, 255, (5, 112, 112, 3)).astype(np.uint8)
    expected = embed_faces(network, Faces.of_arrays(crops, np.arange(5)), np.arange(5))
    np.testing.assert_allclose(Embedder(tmp_path / "m.onnx").embed(crops), expected, atol=1e-5)
    assert "BatchNormalization" not in {node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.onnx", "model.pt"]


def test_a_run_for_tight_crops_says_so(tmp_path: Path) -> None:
    finished_run(tmp_path, alignment="tight")
    spec = export_embedder(tmp_path, tmp_path / "m.onnx", training_data="noise", licence="none")
    assert spec.alignment == "tight"
    assert "imitated" in spec.notes


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--resume"):
        export_embedder(tmp_path, tmp_path / "m.onnx", training_data="", licence="")
    assert list(tmp_path.iterdir()) == []


def test_the_byte_scale_follows_the_spread_of_a_component(rng: np.random.Generator) -> None:
    for dim in (64, 128, 512):
        rows = rng.normal(size=(4000, dim))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        assert (np.abs(rows * byte_scale(dim)) > 127).mean() < 1e-5
        assert np.abs(rows * byte_scale(dim)).max() > 100
