"""The training of an embedder: a network read from a shipped file, batches, losses, teachers, and the way to a file."""

import copy
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from facespace.embed import Embedder
from facespace.models import read_spec
from facespace.training.augment import Augmentation
from facespace.training.networks.plain_residual import PlainResidual
from facespace.training.recipe import Optimiser
from facespace.training.run_folder import read_facts, read_model
from lab.embedder.faces import BatchDraw, FacePool
from lab.embedder.head import Head, LossWeights
from lab.embedder.network import Embedding, read_network
from lab.embedder.pack import read_pack, write_pack
from lab.embedder.recipe import (
    TRUNKS,
    blank_network,
    dev_line,
    export,
    finish,
    first_student,
    keep,
    write_run,
)
from lab.embedder.releases import tar_at, threshold_at
from lab.embedder.shipped import write_shipped
from lab.embedder.teachers import Teacher
from lab.embedder.train import Student, Targets, TrainRecipe, embed_by, train

DIM, SIDE = 8, 32


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small matrices: on a busy machine threads that wait for each other take minutes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


class Patterns(torch.nn.Module):
    """A teacher that sees the colours of a picture's quarters."""

    def __init__(self, *, heap: float = 0.0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(48, DIM, generator=torch.Generator().manual_seed(3)))
        self.heap = heap

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(x, 4).flatten(1) @ self.weight


@pytest.fixture(scope="module")
def drawn() -> tuple[FacePool, Targets]:
    """Known people, each a pattern of colours with noise, and unnamed faces that a teacher has in one heap."""
    rng = np.random.default_rng(1)
    labels = np.concatenate([np.repeat(np.arange(40), 5), 40 + np.arange(100)])
    patterns = rng.integers(30, 226, (140, 4, 4, 3))
    patterns = (patterns + patterns[:, :, ::-1]) // 2  # alike when mirrored
    small = patterns[labels] + rng.normal(0, 12, (300, 4, 4, 3))
    crops = np.clip(small, 0, 255).astype(np.uint8).repeat(SIDE // 4, 1).repeat(SIDE // 4, 2)
    source = np.repeat(["train", "fiw", "more", "crowd"], [100, 100, 80, 20])
    dev = np.zeros(300, bool)
    dev[[*range(90, 100), *range(190, 200), *range(260, 280)]] = True
    pool = FacePool(crops, labels, source, dev, (np.arange(200, 260),))
    rows = embed_by(Patterns(), torch.from_numpy(crops))
    rows[200:280] = torch.nn.functional.normalize(rows[200] + 0.3 * rows[200:280], dim=1)
    return pool, Targets(rows, rows)


def blank_head(dim: int = 128) -> Head:
    return Head(16, dim=dim, hidden=16)


def small_network(side: int = SIDE) -> Embedding:
    torch.manual_seed(0)
    return Embedding(PlainResidual(input_hw=(side, side), widths=(8, 12, 16), blocks=(0, 1)), blank_head(DIM))


def test_a_batch_holds_nobody_who_is_set_aside_and_several_faces_of_people(drawn: tuple) -> None:
    pool, _ = drawn
    draw = BatchDraw(pool, people={"train": 3, "fiw": 2}, faces_each=4, others=5, pools=2, from_pool=20)
    for seed in range(20):
        chosen = draw(np.random.default_rng(seed))
        assert not pool.dev[chosen].any() and (np.diff(chosen) > 0).all()
        _, counts = np.unique(pool.labels[chosen], return_counts=True)
        assert (counts >= 4).sum() >= 5 and (pool.source[chosen] == "more").sum() > 5


RECIPE = TrainRecipe(
    minutes=1.5,
    optimiser=Optimiser(learning_rate=1e-2, decay=0.7, ema=0.9),
    by_label=100,
    blends=30,
    losses=LossWeights(vectors=1.0, of_unnamed=0.0),
    augmentation=Augmentation(),
)


def test_training_learns_where_people_lie_and_spreads_unseen_unnamed_faces(drawn: tuple) -> None:
    pool, targets = drawn
    ticks, reports = itertools.count(0.0, 1.0), []
    met = train(
        {
            "one": Student(small_network()),
            "two": Student(small_network(SIDE // 2), every=2, blends=10, triplets_from=0.8),
        },
        pool,
        Patterns(),
        targets,
        RECIPE,
        report=lambda networks, minutes, losses: reports.append((minutes, losses)),
        clock=lambda: next(ticks),
    )
    assert len(reports) == 4 and reports[0][1]["steps"] > 10
    assert all(reports[1][1][name] < reports[0][1][name] for name in met)
    assert reports[-1][1]["two"] < 0.3 < reports[1][1]["two"]  # the triplets' part of the run
    rows = embed_by(met["one"], torch.from_numpy(pool.crops)).numpy()
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    known = (rows[:90] * targets.vectors.numpy()[:90]).sum(1).mean()
    upper = np.triu_indices(20, 1)
    heap, spread = ((r[260:280] @ r[260:280].T)[upper].mean() for r in (targets.vectors.numpy(), rows))
    assert known > 0.5 and heap > 0.8 and spread < 0.5, (known, heap, spread)
    assert "unnamed" in dev_line(rows[pool.dev], pool)


def test_a_pack_holds_the_pool_with_its_pictures_nearly_as_they_are(drawn: tuple, tmp_path: Path) -> None:
    pool, _ = drawn
    part = pool.part(np.arange(0, 300, 2))
    assert len(write_pack(part, tmp_path, part_bytes=8_000)) > 1
    again = read_pack(tmp_path)
    assert again.crops.shape == part.crops.shape
    assert np.abs(again.crops.astype(int) - part.crops).mean() < 12
    for name in ("labels", "source", "dev"):
        np.testing.assert_array_equal(getattr(again, name), getattr(part, name))
    np.testing.assert_array_equal(again.pools[0], part.pools[0])
    np.testing.assert_array_equal(pool.labels[::2][part.pools[0]], pool.labels[pool.pools[0][::2]])


def test_kept_weights_come_back_as_a_model(
    drawn: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, _ = drawn
    name = "facespace-s"
    monkeypatch.setitem(
        TRUNKS, name, lambda: PlainResidual(input_hw=(SIDE, SIDE), widths=(8, 12), blocks=(0,))
    )
    network, weights = blank_network(name), tmp_path / f"{name}.pt"
    keep(network, weights)
    again = first_student(name, tmp_path, torch.zeros(2, 3, SIDE, SIDE))
    assert again.input_hw == (SIDE, SIDE) and again.every == 1
    torch.testing.assert_close(again.network.state_dict(), network.state_dict(), rtol=0, atol=1e-3)
    finish(pool, weights, tmp_path / "model.onnx", version="9")
    embedder = Embedder(tmp_path / "model.onnx")
    assert embedder.spec.version == "9" and embedder.spec.input_hw == (SIDE, SIDE)
    assert embedder.embed(pool.crops[:3]).shape == (3, 128)


def test_a_network_of_the_paper_becomes_a_run_that_can_be_measured(drawn: tuple, tmp_path: Path) -> None:
    pool, _ = drawn
    student = first_student("nns2", tmp_path, torch.zeros(2, 3, SIDE, SIDE))
    assert student.every > 1 and student.triplets_from < 1
    keep(student.network, tmp_path / "nns2.pt")
    write_run(pool, tmp_path / "nns2.pt", tmp_path / "run")
    assert read_facts(tmp_path / "run")["n_faces"] == int((~pool.dev).sum())
    written = read_model(tmp_path / "run")["weights"]
    torch.testing.assert_close(written, dict(student.network.state_dict()), rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["mobilefacenet.onnx", "fr_feature.onnx"])
def test_a_teacher_is_the_file_it_is_read_from(data: Path, name: str) -> None:
    path, bgr = data / "peers" / name, name == "fr_feature.onnx"
    x = torch.rand(1, 3, 112, 112, generator=torch.Generator().manual_seed(0)) * 2 - 1
    session = onnxruntime.InferenceSession(path)
    taken = (x.flip(1) if bgr else x).numpy()
    (expected,) = session.run(None, {session.get_inputs()[0].name: taken})
    met = Teacher(path, bgr=bgr)(x)[0].numpy()
    np.testing.assert_allclose(met, unit(expected.reshape(1, -1))[0], atol=1e-4)


@pytest.mark.parametrize("extra", [(0, 0), (1, 1)])
def test_a_network_read_from_its_file_gives_the_same_with_batch_norm_and_new_blocks(
    extra: tuple[int, int], tmp_path: Path
) -> None:
    shape = {"widths": (8, 12, 16), "input_hw": (SIDE, SIDE)}
    written = Embedding(PlainResidual(**shape, blocks=(1, 1)), blank_head())  # type: ignore[arg-type]
    x = torch.rand(40, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for module in written.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # those of blocks begin as nothing
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    for weight in written.head.parameters():
        torch.nn.init.normal_(weight, 0, 0.2)
    written.train()(x)
    path = tmp_path / "written.onnx"
    export(written, "facespace-s", path, version="9")
    trunk = PlainResidual(**shape, blocks=(1 + extra[0], 1 + extra[1]))  # type: ignore[arg-type]
    network = read_network(path, trunk, x)
    with torch.no_grad():
        met = network.eval()(x).numpy()
        in_training = copy.deepcopy(network).train()(x).numpy()
    with torch.no_grad():
        expected = written.eval()(x).numpy()
    np.testing.assert_allclose(met, expected, atol=2e-3)  # the file keeps weights as float16
    assert (in_training * expected).sum(1).min() > 0.95
    export(network, "facespace-s", tmp_path / "again.onnx", version="9")
    embedder = Embedder(tmp_path / "again.onnx")
    crops = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)
    np.testing.assert_allclose(embedder.embed(crops), Embedder(path).embed(crops), atol=2e-3)
    assert embedder.spec.version == "9" and not embedder.spec.distances


def test_what_ships_is_the_network_in_bytes_over_windows(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Embedding(PlainResidual(input_hw=(64, 64), widths=(8, 12, 16), blocks=(0, 1)), blank_head())
    export(network, "facespace-s", tmp_path / "written.onnx", version="9")
    spec = write_shipped(tmp_path / "written.onnx", tmp_path / "m.onnx", data, version="10", n_windows=2)
    assert (spec.version, spec.input_hw, spec.options["precision"]) == ("10", (68, 68), "int8")
    assert spec.sha256 == read_spec(tmp_path / "m.onnx").sha256


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
