"""Work on a Ray cluster: a stand-in for Ray whose machines die at will, and Ray itself, a few times."""

import gc
import itertools
import os
import pickle
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facespace import ray_cluster, ray_workers
from facespace.cluster import group_table
from facespace.embed import Embedder
from facespace.errors import InputError, MissingExtraError, WorkersError
from facespace.extract import embed_photos
from facespace.faces.detect import Detector
from facespace.ray_workers import RayWorkers
from facespace.table import COLUMNS, FaceTable
from facespace.training.frozen import ask_once
from facespace.workers import Threads, Workers, open_workers
from fakes import SPEC, DrawnDetector, DrawnEmbedder, draw_photo


class DiedError(Exception):
    """In place of Ray's."""


class TaskError(Exception):
    """Likewise."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Machines:
    """A stand-in for Ray: tasks in this process, each done when it is waited for.

    ``deaths`` says of each call whether its process dies of it; an item "deadly" ends every process.
    """

    exceptions = SimpleNamespace(
        ObjectLostError=DiedError, WorkerCrashedError=DiedError, NodeDiedError=DiedError, OutOfMemoryError=DiedError,
        RayTaskError=TaskError, RaySystemError=DiedError,
    )  # fmt: skip

    def __init__(self, nodes: list[dict[str, float]], deaths: Iterable[bool] = ()) -> None:
        self.resources, self.deaths = nodes, iter(deaths)
        self.calls: dict[int, Callable[[], Any]] = {}
        self.cancelled: set[int] = set()
        self.numbers = itertools.count()

    def is_initialized(self) -> bool:
        return True

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": one} for one in self.resources]

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": sum(one.get("CPU", 0) for one in self.resources)}

    def available_resources(self) -> dict[str, float]:
        return {}

    def put(self, value: Any) -> int:
        number = next(self.numbers)
        self.calls[number] = lambda: value
        return number

    def remote(self, **_: Any) -> Callable[[Any], Any]:
        return lambda run: SimpleNamespace(
            options=lambda **_: SimpleNamespace(remote=partial(self._start, run))
        )

    def wait(self, references: list[int], **_: Any) -> tuple[list[int], list[int]]:
        return references[:1], references[1:]

    def get(self, reference: int) -> Any:
        return self.calls[reference]()

    def cancel(self, reference: int, **_: Any) -> None:
        self.cancelled.add(reference)

    def _start(self, run: Callable[..., Any], version: str, work: list[int], items: Any, n: int) -> int:
        number = next(self.numbers)
        self.calls[number] = lambda: self._end(run, version, work, items, n)
        return number

    def _end(self, run: Callable[..., Any], version: str, work: list[int], items: Any, n: int) -> Any:
        if "deadly" in items or next(self.deaths, False):
            raise DiedError("its machine is gone")
        try:
            ray_workers._opened.cache_clear()  # references of another cluster have the same numbers
            return run(version, work, items, n)
        except Exception as error:
            raise TaskError(error) from error


def cluster(monkeypatch: pytest.MonkeyPatch, machines: Machines) -> RayWorkers:
    monkeypatch.setattr(ray_workers, "load_ray", lambda: machines)
    monkeypatch.setattr(ray_workers, "connect", lambda *_: None)
    return RayWorkers("ray")


@settings(max_examples=60)
@given(
    n=st.integers(0, 200),
    # Five deaths of one item would be its own fault.
    deaths=st.lists(st.booleans(), max_size=12).filter(lambda deaths: sum(deaths) < 5),
    nodes=st.lists(st.fixed_dictionaries({"CPU": st.integers(1, 9)}), min_size=1, max_size=3),
)
def test_machines_that_die_lose_nothing_and_double_nothing(
    n: int, deaths: list[bool], nodes: list[dict[str, float]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        found = cluster(patch, Machines(nodes, deaths)).map(lambda i: i * i, range(n), on_lost=lambda i: -1)
        assert list(found) == [i * i for i in range(n)]


@pytest.mark.parametrize("place", [0, 7, 41])
def test_an_item_that_ends_every_process_is_found_alone(place: int, monkeypatch: pytest.MonkeyPatch) -> None:
    items = ["fine"] * 42
    items[place] = "deadly"
    pool = cluster(monkeypatch, Machines([{"CPU": 2}]))
    found = list(pool.map(str.upper, items, on_lost=lambda item: f"lost {item}"))
    assert found == ["lost deadly" if i == place else "FINE" for i in range(42)]
    with pytest.raises(WorkersError, match="'deadly': ended each process"):
        list(pool.map(str.upper, items))


def test_an_error_in_the_work_is_raised_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        list(cluster(monkeypatch, Machines([{"CPU": 2}])).map(lambda i: 1 // i, [1, 0]))


def test_another_version_of_facespace_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    run = ray_workers._run
    monkeypatch.setattr(ray_workers, "_run", lambda _, *more: run("0.0.1", *more))
    with pytest.raises(WorkersError, match=r"this one has 0\.0\.1"):
        list(cluster(monkeypatch, Machines([{"CPU": 2}])).map(str, [1]))


def test_work_that_cannot_be_opened_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = Machines([{"CPU": 2}])
    monkeypatch.setattr(machines, "put", lambda _: 1)
    with pytest.raises(WorkersError, match="cannot start a worker"):
        list(cluster(monkeypatch, machines).map(str, [1]))


def test_calls_for_machines_that_have_gone_are_given_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = Machines([{"CPU": 8, "GPU": 1}])
    turns = itertools.count()

    def wait(references: list[int], **_: Any) -> tuple[list[int], list[int]]:
        if next(turns) == 0:  # nothing is done when the machine with the GPU goes and another one comes
            machines.resources = [{"CPU": 2}]
            return [], references
        return references[:1], references[1:]

    monkeypatch.setattr(machines, "wait", wait)
    monkeypatch.setattr(ray_workers, "LOOK_S", -1.0)
    assert list(cluster(monkeypatch, machines).map(str, range(9))) == list(map(str, range(9)))
    assert machines.cancelled


def test_a_cluster_without_a_free_processor_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machines = Machines([{"CPU": 2}])
    monkeypatch.setattr(machines, "wait", lambda references, **_: ([], references))
    clock = itertools.count(0, 60)
    monkeypatch.setattr(ray_workers, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with pytest.raises(WorkersError, match="no processor of the Ray cluster came free"):
        list(cluster(monkeypatch, machines).map(str, [1]))


@pytest.mark.parametrize(
    ("nodes", "n", "expected"),
    [
        ([], None, {(4, 0): 1}),
        ([{"CPU": 2}], None, {(2, 0): 1}),
        ([{"CPU": 9}, {"CPU": 16}], None, {(4, 0): 6}),
        ([{"CPU": 9}, {"CPU": 3}], None, {(3, 0): 4}),
        ([{"CPU": 64, "GPU": 4}, {"CPU": 8}], None, {(8, 1): 4, (4, 0): 2}),
        ([{"CPU": 64, "GPU": 4}, {"CPU": 8}], 10, {(8, 1): 2}),
        ([{"CPU": 16}], 6, {(4, 0): 2}),
        ([{"CPU": 16}], 1, {(1, 0): 1}),
    ],
)
def test_tasks_fit_the_machines(nodes: list, n: int | None, expected: dict) -> None:
    found = ray_cluster.shapes_of([{"Alive": True, "Resources": node} for node in nodes], n)
    assert {(shape.threads, shape.gpus): k for shape, k in found.items() if k} == expected


@pytest.mark.parametrize("address", ["spark", "ray:/host:1", "ray://host", "host", "s3://a:1"])
def test_an_address_of_another_form_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="expected ray"):
        RayWorkers(address)


def test_an_address_where_nobody_answers_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"ray://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(WorkersError, match="nothing answers there") as met:
            RayWorkers(address)
    assert "\n" not in str(met.value)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"facespace\[ray\]"):
        open_workers("ray")


def test_networks_travel_with_their_models(rng: np.random.Generator) -> None:
    picture = rng.integers(0, 255, (200, 300, 3), np.uint8)
    detector, embedder = Detector(), Embedder()
    there, sent = pickle.loads(pickle.dumps((detector, embedder)))
    crops = rng.integers(0, 255, (2, *embedder.spec.input_hw, 3), np.uint8)
    np.testing.assert_array_equal(sent.embed(crops), embedder.embed(crops))
    np.testing.assert_array_equal(there.detect(picture).boxes_xyxy, detector.detect(picture).boxes_xyxy)
    assert (there.spec, sent.spec) == (detector.spec, embedder.spec)


def assert_same(one: Path, other: Path) -> None:
    a, b = FaceTable.load(one), FaceTable.load(other)
    assert (a.model, a.photos, a.photo_sha256, a.identities) == (
        b.model,
        b.photos,
        b.photo_sha256,
        b.identities,
    )
    for column in [*COLUMNS, "embedding"]:
        np.testing.assert_array_equal(getattr(a, column), getattr(b, column))


# Ray itself. It leaves sockets and files open, of which Python warns.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning:ray")


def end_quietly(pool: RayWorkers) -> None:
    """Ray leaves the processes that it ended to the garbage collector, which would warn of them in another test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pool.close()
        gc.collect()


NO_RAY = "ray is not installed: pip install 'facespace[ray]'"


@pytest.fixture(scope="module", autouse=True)
def _found_by_workers() -> Iterator[None]:
    """Processes that Ray starts import the drawn networks too."""
    with pytest.MonkeyPatch.context() as patch:
        here = Path(__file__).parent
        patch.setenv("PYTHONPATH", os.pathsep.join([str(here), str(here.parent), *filter(None, sys.path)]))
        yield


def need_ray() -> None:
    with suppress(MissingExtraError):
        ray_cluster.load_ray()  # first, since it looks for the cluster's token
    pytest.importorskip("ray", reason=NO_RAY)


@pytest.fixture(scope="module")
def ray_here(_found_by_workers: None) -> Iterator[Workers]:
    need_ray()
    pool = RayWorkers("ray", 2)
    yield pool
    end_quietly(pool)


def test_a_table_is_the_one_of_threads(ray_here: Workers, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for i in range(30):
        draw_photo(photos / f"{i:02}.png", *["red", "blue", "green"][: i % 4])
    (photos / "07.png").write_bytes(b"broken")
    results = [
        embed_photos([photos], tmp_path / name, DrawnDetector(), DrawnEmbedder(), workers=workers)
        for name, workers in (("here", Threads(2)), ("there", ray_here))
    ]
    assert results[0] == results[1] and results[0].n_photos == 29
    assert_same(tmp_path / "here", tmp_path / "there")
    draw_photo(photos / "07.png", "ochre")
    draw_photo(photos / "08.png", "ochre", "red")
    again = embed_photos([photos], tmp_path / "there", DrawnDetector(), DrawnEmbedder(), workers=ray_here)
    assert (again.n_new, again.n_left, again.n_photos) == (2, 1, 30)


def test_people_are_those_of_one_process(ray_here: Workers, data: Path, tmp_path: Path) -> None:
    folders = sorted((data / "faces" / "val").iterdir())[:24]
    embedder = Embedder("facespace-xs")
    embed_photos(folders, tmp_path / "faces", None, embedder)
    table = FaceTable.load(tmp_path / "faces")
    for options in ({}, {"threshold": 0.6, "min_quality": 0.05}):
        here = group_table(table, embedder.spec, **options)
        there = group_table(table, embedder.spec, **options, workers=ray_here)
        np.testing.assert_array_equal(there.labels, here.labels)
        assert there.scores == here.scores and 24 <= here.n_people < len(table)


class SlowDetector(DrawnDetector):
    def __init__(self) -> None:
        super().__init__(pause_s=0.1)


class Mirrored(DrawnEmbedder):
    """A teacher, which takes its time where it is told to."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.pause_s = pause_s

    def embed(self, crops: np.ndarray, /, *, flip: bool = False) -> np.ndarray:
        time.sleep(self.pause_s)
        return super().embed(crops)


def crops_of_noise(n: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (n, *SPEC.input_hw, 3), np.uint8)


def test_a_teacher_says_there_what_it_says_here(ray_here: Workers, tmp_path: Path) -> None:
    crops = crops_of_noise(150)
    rows = ask_once(tmp_path / "there.npy", Mirrored(), crops.__getitem__, 150, flip=True, workers=ray_here)
    np.testing.assert_array_equal(rows, DrawnEmbedder().embed(crops))
    assert [path.name for path in tmp_path.iterdir()] == ["there.npy"]


@contextmanager
def killed_in_mid_job() -> Iterator[tuple[Workers, Callable[[int], None], list[int]]]:
    """A cluster of two machines, what kills one of them once so many things are done, and when it did."""
    need_ray()
    from ray.cluster_utils import Cluster

    machines = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    killed: list[int] = []
    try:
        second = machines.add_node(num_cpus=2)

        def kill(done: int) -> None:
            if done >= 60 and not killed:
                machines.remove_node(second, allow_graceful=False)
                killed.append(done)

        with RayWorkers(machines.address) as pool:
            yield pool, kill, killed
    finally:
        machines.shutdown()
        gc.collect()


@pytest.mark.slow
def test_a_machine_that_is_killed_in_mid_job_costs_nothing(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for i in range(200):
        draw_photo(photos / f"{i:03}.png", *["red", "blue", "green"][: i % 4])
    embed_photos([photos], tmp_path / "here", DrawnDetector(), DrawnEmbedder())
    with killed_in_mid_job() as (pool, kill, killed):
        result = embed_photos(
            [photos], tmp_path / "there", SlowDetector(), DrawnEmbedder(), workers=pool,
            on_photo=lambda done, _: kill(done),
        )  # fmt: skip
    assert killed and (result.n_photos, result.n_new, result.unreadable) == (200, 200, ())
    assert_same(tmp_path / "here", tmp_path / "there")


@pytest.mark.slow
def test_a_machine_that_is_killed_while_a_teacher_is_asked_costs_nothing(tmp_path: Path) -> None:
    crops = crops_of_noise(960)
    with killed_in_mid_job() as (pool, kill, killed):
        rows = ask_once(
            tmp_path / "rows.npy",
            Mirrored(0.2),
            crops.__getitem__,
            960,
            flip=True,
            workers=pool,
            on_done=kill,
        )
    assert killed and killed[0] < 960
    np.testing.assert_array_equal(rows, DrawnEmbedder().embed(crops))
