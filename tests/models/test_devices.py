import dataclasses
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from facespace.cli.app import app
from facespace.embed import Embedder, dequantise, quantise
from facespace.errors import InputError, ModelError
from facespace.faces.detect import Detector
from facespace.gallery import Gallery
from facespace.images import read_image
from facespace.measure.faces import open_crops
from facespace.measure.views import AS_IT_IS, crop_face
from facespace.metrics.all_pairs import count_mixed_pairs, count_pairs
from facespace.models import find_model
from facespace.models.devices import AGREEMENT, AUTO, DEVICES, candidates, installed_devices
from facespace.models.gathering import Gathering
from facespace.models.session import Network
from fakes import draw_photo

CPU = "CPUExecutionProvider"


@pytest.fixture
def providers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the providers that onnxruntime seems to have."""

    def have(*names: str) -> None:
        monkeypatch.setitem(
            sys.modules, "onnxruntime", SimpleNamespace(get_available_providers=lambda: names)
        )

    return have


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor is treated as a device that takes batches."""
    monkeypatch.setitem(DEVICES, "cpu", dataclasses.replace(DEVICES["cpu"], takes_batches=True))


def save_network(path: Path, *, batch: int | str, mixes: bool = False) -> Path:
    """A network whose output is twice its input; one that ``mixes`` takes the mean over all pictures from it."""
    nodes = [helper.make_node("Add", ["x", "x"], ["twice"])]
    if mixes:
        nodes += [helper.make_node("ReduceMean", ["twice", "axes"], ["mean"], keepdims=1),
                  helper.make_node("Sub", ["twice", "mean"], ["y"])]  # fmt: skip
    else:
        nodes += [helper.make_node("Identity", ["twice"], ["y"])]
    shape = [batch, 3, 2, 2]
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.array([0]), "axes")] if mixes else [],
        value_info=[helper.make_tensor_value_info("twice", TensorProto.FLOAT, shape)],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.mark.parametrize(
    ("installed", "choice", "expected"),
    [
        ((CPU,), AUTO, ["cpu"]),
        ((CPU,), "cpu", ["cpu"]),
        (("OpenVINOExecutionProvider", CPU), AUTO, ["cpu"]),
        (("OpenVINOExecutionProvider", CPU), "openvino", ["openvino"]),
        (("CoreMLExecutionProvider", CPU), AUTO, ["cpu"]),
        (("CUDAExecutionProvider", CPU), AUTO, ["cuda", "cpu"]),
        (("DmlExecutionProvider", CPU), AUTO, ["directml", "cpu"]),
        (("CUDAExecutionProvider", CPU), "cpu", ["cpu"]),
    ],
)
def test_a_choice_is_answered_by_what_is_installed(
    providers: Callable[..., None], installed: tuple[str, ...], choice: str, expected: list[str]
) -> None:
    providers(*installed)
    assert [device.name for device in candidates(choice)] == expected


def test_a_device_that_is_not_installed_says_what_is_and_what_to_install(
    providers: Callable[..., None],
) -> None:
    providers("OpenVINOExecutionProvider", CPU)
    with pytest.raises(
        ModelError, match=r"^device cuda: .* has cpu, openvino; replace it with onnxruntime-gpu$"
    ):
        candidates("cuda")


@pytest.mark.parametrize("choice", ["", "gpu", "CPU", "tpu"])
def test_no_device_of_that_name(choice: str) -> None:
    with pytest.raises(InputError, match="expected auto or one of cpu, cuda, coreml, directml, openvino"):
        Embedder(device=choice)


def test_a_device_that_does_not_start_is_an_error_by_name_and_passed_over_by_auto(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """onnxruntime goes to the processor by itself where a driver is missing."""
    broken = dataclasses.replace(DEVICES["cuda"], options={})
    monkeypatch.setitem(DEVICES, "cuda", broken)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [broken.provider, CPU])
    opened = onnxruntime.InferenceSession
    monkeypatch.setattr(
        "onnxruntime.InferenceSession",
        lambda model, options, providers: opened(model, options, providers=[CPU]),
    )
    path = save_network(tmp_path / "m.onnx", batch="n")
    assert Network(path, device=AUTO).device.name == "cpu"
    with pytest.raises(
        ModelError, match="device cuda: CUDAExecutionProvider is installed and does not start"
    ):
        Network(path, device="cuda")


def run_together(network: Network, rows: list[np.ndarray]) -> list[np.ndarray]:
    """Each from a thread of its own, all at the same moment."""
    results: list[np.ndarray | None] = [None] * len(rows)
    start = threading.Barrier(len(rows))

    def work(i: int) -> None:
        start.wait(30)
        (results[i],) = network.run(rows[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(rows))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return [result for result in results if result is not None]


@pytest.mark.parametrize("batch", ["n", 1], ids=["open", "one picture"])
@pytest.mark.usefixtures("batches")
def test_rows_of_several_threads_come_back_to_them(
    tmp_path: Path, rng: np.random.Generator, batch: int | str
) -> None:
    network = Network(save_network(tmp_path / "m.onnx", batch=batch))
    assert network._gathers
    rows = [rng.normal(size=(1, 3, 2, 2)).astype(np.float32) for _ in range(16)]
    for given, got in zip(rows, run_together(network, rows), strict=True):
        np.testing.assert_array_equal(got, 2 * given)


@pytest.mark.parametrize(("batch", "mixes"), [(1, True), (4, False)], ids=["pictures mix", "four at a time"])
@pytest.mark.usefixtures("batches")
def test_what_cannot_go_together_goes_alone(
    tmp_path: Path, rng: np.random.Generator, batch: int, mixes: bool
) -> None:
    network = Network(save_network(tmp_path / "m.onnx", batch=batch, mixes=mixes))
    assert not network._gathers
    rows = [rng.normal(size=(batch, 3, 2, 2)).astype(np.float32) for _ in range(4)]
    for given, got in zip(rows, run_together(network, rows), strict=True):
        np.testing.assert_allclose(got, 2 * (given - (given.mean(0) if mixes else 0)), atol=1e-6)


def test_a_batch_takes_those_that_wait_and_fit() -> None:
    """Three wait while a first one runs: two of its shape go next as one batch, the third alone."""
    seen: list[tuple[int, ...]] = []
    entered, go = threading.Event(), threading.Event()

    def run(batch: np.ndarray) -> list[np.ndarray]:
        seen.append(batch.shape)
        if len(seen) == 1:
            entered.set()
            go.wait(30)
        return [batch + 1]

    gathering = Gathering(run, most_rows=4)
    shapes = [(1, 2), (2, 2), (2, 2), (1, 3)]
    results: dict[int, np.ndarray] = {}
    threads = [
        threading.Thread(
            target=lambda i=i: results.update({i: gathering(np.full(shapes[i], i, np.float32))[0]})
        )
        for i in range(4)
    ]
    threads[0].start()
    assert entered.wait(30)
    for thread in threads[1:]:
        thread.start()
    while len(gathering._waiting) < 3:  # all are in the list
        assert all(thread.is_alive() for thread in threads)
    go.set()
    for thread in threads:
        thread.join(30)
    assert seen[0] == (1, 2) and sorted(seen[1:]) == [(1, 3), (4, 2)]
    assert {i: (got.shape, float(got.max())) for i, got in results.items()} == {
        i: (shape, i + 1.0) for i, shape in enumerate(shapes)
    }


def test_an_error_reaches_whoever_called() -> None:
    def fail(_: np.ndarray) -> list[np.ndarray]:
        raise MemoryError("full")

    gathering = Gathering(fail)
    for _ in range(2):
        with pytest.raises(MemoryError, match="full"):
            gathering(np.zeros((1, 2), np.float32))


@pytest.mark.usefixtures("batches")
def test_the_built_in_models_give_the_same_in_batches(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    together = Detector(), Embedder()
    monkeypatch.undo()
    alone = Detector(), Embedder()
    assert together[0]._network._gathers and together[1]._network._gathers
    assert not (alone[0]._network._gathers or alone[1]._network._gathers)
    picture = rng.integers(0, 256, (2, 3, 64, 96)).astype(np.float32)
    both = together[0].run(picture)
    for i in range(2):
        for name, one in alone[0].run(picture[i : i + 1]).items():
            np.testing.assert_allclose(both[name][i : i + 1], one, rtol=1e-3, atol=1e-3)
    crops = rng.integers(0, 256, (3, *alone[1].spec.input_hw, 3)).astype(np.uint8)
    np.testing.assert_allclose(together[1].embed(crops), alone[1].embed(crops), atol=1e-5)


def embeddings_on(
    device: str, level: str, threads: int, crops: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> np.ndarray:
    """Embedded with that much optimisation of the graph."""
    options = onnxruntime.SessionOptions

    def with_level() -> onnxruntime.SessionOptions:
        made = options()
        made.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        return made

    with monkeypatch.context() as patched:
        patched.setattr("onnxruntime.SessionOptions", with_level)
        return Embedder(device=device, threads=threads).embed(crops)


def test_embeddings_of_different_devices_may_be_compared(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All devices that are installed here, and the processor as one that works in another order."""
    side = Embedder().spec.input_hw[0]
    coarse = rng.integers(0, 256, (4, side // 8 + 1, side // 8 + 1, 3)).repeat(8, 1).repeat(8, 2)
    fine = rng.integers(0, 256, (4, side, side, 3))
    crops = np.concatenate([coarse[:, :side, :side], fine]).astype(np.uint8)
    usual = Embedder(device="cpu").embed(crops)
    others = {
        ("cpu", "ORT_DISABLE_ALL", 1), ("cpu", "ORT_ENABLE_BASIC", 2),
        *((name, "ORT_ENABLE_ALL", 1) for name in installed_devices()),
    }  # fmt: skip
    for other in others:
        rows = embeddings_on(*other, crops, monkeypatch)
        moved = np.linalg.norm(rows - usual, axis=1)
        assert moved.max() <= AGREEMENT, other
        # What the bound is for: no distance's root moves by more than twice as much.
        apart, before = (
            np.linalg.norm(a[:, None] - b[None], axis=2) for a, b in ((usual, rows), (usual, usual))
        )
        assert np.abs(apart - before).max() <= 2 * AGREEMENT


def test_faces_of_two_devices_are_told_apart_as_well_as_those_of_one(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean face moves less than by rounding its template to bytes, and pairs across devices have the same TAR."""
    faces = open_crops(data / "faces" / "val").every(1000)
    crops = np.stack(
        [crop_face(read_image(path).pixels, None, AS_IT_IS, Embedder().spec) for path in faces.paths]
    )
    usual = Embedder(device="cpu").embed(crops)
    other = embeddings_on("cpu", "ORT_DISABLE_ALL", 1, crops, monkeypatch)
    rounding = np.linalg.norm(dequantise(quantise(usual, Embedder().spec.byte_scale)) - usual, axis=1)
    assert np.linalg.norm(other - usual, axis=1).mean() < rounding.mean()
    within, across = count_pairs(usual, faces.labels), count_mixed_pairs(usual, other, faces.labels)
    assert across.tar_at_far(1e-3).tar == pytest.approx(within.tar_at_far(1e-3).tar, abs=0.002)


def test_a_built_in_model_opens_on_every_installed_device() -> None:
    for name in installed_devices():
        assert Network(find_model(None, "embedder"), device=name).device.name == name


@pytest.mark.parametrize(
    "command",
    [
        ["people", "photos"], ["verify", "a.jpg", "b.jpg"], ["embed", "photos", "-o", "t"], ["serve", "library"],
        ["gallery", "identify", "team", "photos"], ["api", "start", "galleries", "--no-keys"], ["bench", "photos"],
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_commands_refuse_a_device_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    """Before they do anything else that takes time, and without a word of it in Python's."""
    monkeypatch.chdir(tmp_path)
    for name in ("photos/a.jpg", "a.jpg", "b.jpg"):
        draw_photo(tmp_path / name, "red")
    Gallery(tmp_path / "team").close()
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [CPU])
    done = CliRunner().invoke(app, [*command, "--device", "directml"])
    assert isinstance(done.exception, ModelError)
    assert str(done.exception).startswith("device directml: this onnxruntime has cpu; replace it with")
