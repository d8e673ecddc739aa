"""The head of an embedder: fitted on drawn features, joined to a shipped network."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

from facespace.embed import Embedder
from facespace.errors import DataError
from facespace.measure.unnamed_faces import UnnamedFaces
from facespace.models import ModelSpec, find_model, read_spec, write_spec
from lab.embedder.faces import FacePool
from lab.embedder.graph import last_layer, trunk_features, write_with_head
from lab.embedder.head import Head, HeadRecipe, fit_head
from lab.embedder.releases import tar_at, threshold_at

DIM, N_FEATURES = 8, 20


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small matrices: on a busy machine threads that wait for each other take minutes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def drawn_pool() -> tuple[FacePool, np.ndarray, np.ndarray]:
    """Known people where the head so far tells them apart, and unnamed faces that it has in one oversized group."""
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(60), 5)
    places = rng.normal(size=(60, N_FEATURES))
    known = places[people] + 0.3 * rng.normal(size=(300, N_FEATURES))
    # What tells these apart lies in features that the head so far does not look at.
    unnamed = np.concatenate(
        [2.0 + 1.6 * rng.normal(size=(200, 10)), 2.0 * rng.normal(size=(200, 10))], axis=1
    )
    features = np.stack([np.concatenate([known, unnamed])] * 2).astype(np.float32)
    labels = np.concatenate([people, 60 + np.arange(200)])
    source = np.repeat(["train", "fiw", "more"], [150, 150, 200])
    dev = np.zeros(500, bool)
    dev[480:] = True
    pool = FacePool((), UnnamedFaces(Path(), (), {}), labels, source, dev, (np.arange(300, 480),))
    weight = np.zeros((DIM, N_FEATURES), np.float32)
    weight[:, :10] = rng.normal(size=(DIM, 10))
    return pool, features, weight


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def test_a_head_begins_as_the_layer_it_replaces_and_spreads_unseen_faces_once_fitted() -> None:
    pool, features, weight = drawn_pool()
    head = Head(weight, np.zeros(DIM, np.float32), hidden=16)
    targets = unit(features[0] @ weight.T)
    with torch.no_grad():
        assert np.allclose(unit(head(torch.from_numpy(features[0])).numpy()), targets, atol=1e-5)
    fit_head(head, pool, features, targets, HeadRecipe(steps=150, hidden=16, learning_rate=1e-2))
    with torch.no_grad():
        rows = unit(head(torch.from_numpy(features[0])).numpy())
    upper = np.triu_indices(20, 1)
    before, after = ((r[480:] @ r[480:].T)[upper].mean() for r in (targets, rows))
    assert before > 0.6 and after < 0.45, (before, after)
    # People who were told apart still are, near where they were.
    same = pool.labels[:300, None] == pool.labels[:300]
    cosine = rows[:300] @ rows[:300].T
    assert np.median(cosine[same]) > np.quantile(cosine[~same], 0.95)
    assert (rows[:300] * targets[:300]).sum(1).mean() > 0.7


def test_nobody_who_is_set_aside_is_trained_on() -> None:
    pool, _, _ = drawn_pool()
    pool.dev[:5] = True
    assert not np.isin(np.concatenate(pool.people("train")), np.flatnonzero(pool.dev)).any()
    assert len(pool.people("train")) == 29 and len(pool.people("fiw")) == 30


def write_pooling_network(path: Path) -> Path:
    """Means of 49 squares of a crop, and a linear layer."""
    rng = np.random.default_rng(5)
    nodes = [
        helper.make_node("AveragePool", ["crops"], ["pooled"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "weight", "bias"], ["embeddings"], transB=1),
    ]
    weights = [
        numpy_helper.from_array(rng.normal(size=(DIM, 147)).astype(np.float32), "weight"),
        numpy_helper.from_array(rng.normal(size=DIM).astype(np.float32), "bias"),
    ]
    taken, given = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", *shape])
        for name, shape in (("crops", [3, 112, 112]), ("embeddings", [DIM]))
    )
    graph = helper.make_graph(nodes, "pooling", [taken], [given], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    write_spec(path, ModelSpec("pooling", "1", "embedder", (112, 112), dim=DIM, byte_scale=100.0))
    return path


def test_a_network_with_another_head_gives_what_the_head_gives(tmp_path: Path) -> None:
    source = write_pooling_network(tmp_path / "old.onnx")
    name, weight, bias = last_layer(source)
    assert name == "features" and weight.shape == (DIM, 147)
    torch.manual_seed(3)
    head = Head(weight, bias, hidden=32)
    torch.nn.init.normal_(head.outer.weight, std=0.05)
    write_with_head(source, head, tmp_path / "new.onnx")
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), np.uint8)
    spec = read_spec(source)
    features = trunk_features(source, spec, iter([crops[:2], crops[2:]]))
    assert features.shape == (2, 3, weight.shape[1])
    with torch.no_grad():
        expected = [unit(head(torch.from_numpy(side)).numpy()) for side in features]
    embedder = Embedder(tmp_path / "new.onnx")
    assert np.allclose(embedder.embed(crops), expected[0], atol=1e-5)
    assert np.allclose(embedder.embed(np.ascontiguousarray(crops[:, :, ::-1])), expected[1], atol=1e-5)
    assert embedder.spec.sha256 != spec.sha256 and embedder.spec.name == spec.name


def test_a_detector_has_no_last_layer_to_replace() -> None:
    with pytest.raises(DataError, match="ends in a linear layer"):
        last_layer(find_model(None, "detector"))


def test_the_worth_of_a_comparison_is_that_of_all_its_pairs() -> None:
    rng = np.random.default_rng(2)
    a, b = (unit(rng.normal(size=(300, DIM))) for _ in range(2))
    threshold = threshold_at(1e-2, a, b)
    distance = 2 - 2 * a @ b.T
    assert (distance[~np.eye(300, dtype=bool)] <= threshold).mean() == pytest.approx(1e-2, abs=1e-4)
    labels = np.repeat(np.arange(30), 10)
    shares = []
    for split in range(5):
        pairs = [distance[i, j] for i in range(300) for j in range(300) if i != j and labels[i] == labels[j]
                 and labels[i] % 5 == split]  # fmt: skip
        shares.append(np.mean(np.array(pairs) <= threshold))
    mean, se = tar_at(threshold, a, b, labels)
    assert mean == pytest.approx(np.mean(shares)) and se == pytest.approx(np.std(shares, ddof=1) / 5**0.5)
