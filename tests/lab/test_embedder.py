"""The training of an embedder: a network read from a shipped file, batches, losses, teachers, and the way to a file."""

import copy
import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from facespace.embed import Embedder
from facespace.measure.unnamed_faces import UnnamedFaces
from facespace.models import find_model
from facespace.training.augment import Augmentation
from facespace.training.distillation import draw_blends
from facespace.training.networks.plain_residual import PlainResidual
from facespace.training.recipe import Optimiser
from lab.embedder.faces import BatchDraw, FacePool
from lab.embedder.head import Head, LossWeights, embed
from lab.embedder.network import Embedding, read_network
from lab.embedder.recipe import dev_line, export
from lab.embedder.releases import tar_at, threshold_at
from lab.embedder.train import Targets, TrunkRecipe, train_trunk, trunk_features

DIM, SIDE = 8, 32
BLOCKS = {"facespace-s": (0, 3, 2), "facespace-xs": (0, 1, 1)}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Small matrices: on a busy machine threads that wait for each other take minutes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def unit(rows: np.ndarray) -> np.ndarray:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@pytest.fixture(scope="module")
def drawn() -> tuple[FacePool, np.ndarray, Targets]:
    """Known people, each a pattern of colours with noise, and unnamed faces that a teacher has in one heap."""
    rng = np.random.default_rng(1)
    labels = np.concatenate([np.repeat(np.arange(40), 5), 40 + np.arange(100)])
    patterns = rng.integers(30, 226, (140, 4, 4, 3))
    small = patterns[labels] + rng.normal(0, 12, (300, 4, 4, 3))
    crops = np.clip(small, 0, 255).astype(np.uint8).repeat(SIDE // 4, 1).repeat(SIDE // 4, 2)
    source = np.repeat(["train", "fiw", "more"], [100, 100, 100])
    dev = np.zeros(300, bool)
    dev[[*range(90, 100), *range(190, 200), *range(280, 300)]] = True
    pool = FacePool((), UnnamedFaces(Path(), (), {}), labels, source, dev, (np.arange(200, 280),))
    faces = unit(rng.normal(size=(140, DIM))[labels])
    faces[200:] = unit(faces[200] + 0.3 * faces[200:])
    blends = draw_blends(np.arange(90), 50, seed=0)
    mixed = (
        blends.weight[:, None] * faces[blends.first_idx]
        + (1 - blends.weight[:, None]) * faces[blends.second_idx]
    )
    return pool, crops, Targets(faces, blends, unit(mixed), faces[:200])


def small_network() -> Embedding:
    torch.manual_seed(0)
    trunk = PlainResidual(input_hw=(SIDE, SIDE), widths=(8, 12, 16), blocks=(0, 1))
    return Embedding(trunk, Head(np.random.default_rng(0).normal(0, 0.2, (DIM, 16)).astype(np.float32),
                                 np.zeros(DIM, np.float32), hidden=16))  # fmt: skip


def test_a_batch_holds_nobody_who_is_set_aside_and_several_faces_of_people(drawn: tuple) -> None:
    pool, _, _ = drawn
    draw = BatchDraw(pool, people={"train": 3, "fiw": 2}, faces_each=4, others=5, pools=2, from_pool=20)
    for seed in range(20):
        chosen = draw(np.random.default_rng(seed))
        assert not pool.dev[chosen].any() and (np.diff(chosen) > 0).all()
        _, counts = np.unique(pool.labels[chosen], return_counts=True)
        assert (counts >= 4).sum() >= 5 and (pool.source[chosen] == "more").sum() > 5


RECIPE = TrunkRecipe(
    minutes=1.5,
    optimiser=Optimiser(learning_rate=1e-2, decay=0.7, ema=0.9),
    losses=LossWeights(of_unnamed=0.0),
    augmentation=Augmentation(),
)


def test_training_learns_where_people_lie_and_spreads_unseen_unnamed_faces(
    drawn: tuple, tmp_path: Path
) -> None:
    pool, crops, targets = drawn
    ticks = itertools.count(0.0, 1.0)
    met = train_trunk(
        small_network(),
        pool,
        crops,
        targets,
        tmp_path,
        RECIPE,
        report=lambda *_: None,
        clock=lambda: next(ticks),
    )
    rows = embed(met.head, trunk_features(met, crops.__getitem__, len(pool)))
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    known = (rows[:90] * targets.faces[:90]).sum(1).mean()
    upper = np.triu_indices(20, 1)
    heap, spread = ((r[280:] @ r[280:].T)[upper].mean() for r in (targets.faces, rows))
    assert known > 0.5 and heap > 0.8 and spread < 0.5, (known, heap, spread)
    assert "unnamed" in dev_line(met, pool, crops)


def test_a_run_goes_on_from_its_state(drawn: tuple, tmp_path: Path) -> None:
    pool, crops, targets = drawn
    recipe = dataclasses.replace(RECIPE, minutes=0.2)
    reports: list[float] = []

    def stop(_: Embedding, minutes: float, loss: float) -> None:
        reports.append(minutes)
        if len(reports) == 2:
            raise KeyboardInterrupt

    for n in (2, 0):
        ticks = itertools.count(0.0, 1.0)
        run = {"report": stop, "report_every_s": 3.0, "clock": lambda t=ticks: next(t)}
        if n:
            with pytest.raises(KeyboardInterrupt):
                train_trunk(small_network(), pool, crops, targets, tmp_path, recipe, **run)  # type: ignore[arg-type]
            kept = torch.load(tmp_path / "state.pt", weights_only=True)["seconds"]
        else:
            train_trunk(small_network(), pool, crops, targets, tmp_path, recipe, **run)  # type: ignore[arg-type]
    assert reports[2] * 60 > kept + 3.0 and reports[-1] <= recipe.minutes


@pytest.mark.parametrize(
    ("name", "extra"), [("facespace-s", (0, 0, 0)), ("facespace-s", (0, 1, 1)), ("facespace-xs", (0, 0, 0))]
)
def test_a_shipped_network_gives_the_same_with_batch_norm_and_new_blocks(
    name: str, extra: tuple[int, ...], tmp_path: Path
) -> None:
    path = find_model(name, "embedder")
    trunk = SHIPPED[name](tuple(a + b for a, b in zip(BLOCKS[name], extra, strict=True)))
    x = torch.rand(40, 3, *trunk.input_hw, generator=torch.Generator().manual_seed(0)) * 2 - 1
    network = read_network(path, trunk, x)
    session = onnxruntime.InferenceSession(path)
    (expected,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        met = network.eval()(x).numpy()
        in_training = copy.deepcopy(network).train()(x).numpy()
    np.testing.assert_allclose(met, expected, atol=1e-5)
    assert (in_training * expected).sum(1).min() > 0.99
    export(network, path, tmp_path / "again.onnx", version="9")
    embedder = Embedder(tmp_path / "again.onnx")
    crops = np.random.default_rng(0).integers(0, 256, (3, *trunk.input_hw, 3), np.uint8)
    np.testing.assert_allclose(embedder.embed(crops), Embedder(path).embed(crops), atol=1e-3)
    assert embedder.spec.version == "9" and not embedder.spec.distances


SHIPPED = {
    "facespace-s": lambda blocks: PlainResidual(widths=(24, 48, 96, 160), blocks=blocks),
    "facespace-xs": lambda blocks: PlainResidual(widths=(16, 32, 64, 120), blocks=blocks, input_hw=(80, 80)),
}


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
