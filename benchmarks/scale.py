"""Galleries from ten thousand to ten million drawn faces: enrolling, opening, searching, memory, recall.

    python benchmarks/scale.py --data DIR --faces 10000 100000 1000000 --json scale.json --plots docs/images
    python benchmarks/scale.py --data DIR --faces 10000000 --cells-only --json ten.json

Faces are drawn with the spreads within and between people measured on DATA/faces/val by the model, and have random
ids as real ones have. Drawing is not timed. Each gallery is opened and searched in processes of its own, so that the
memory is that of one search; resident bytes a face are what the process gains by opening and searching, files that it
has mapped and used counted in full. Besides the clock, processor seconds are shown, since a machine is seldom idle.
A probe is a face of an enrolled person that is not enrolled itself.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from facespace.cli.progress import progress
from facespace.embed import Embedder
from facespace.gallery import Gallery
from facespace.measure.embedding import embed_faces
from facespace.measure.experiments.clustering import draw_faces
from facespace.measure.faces import EmbeddedFaces, open_crops
from facespace.models import ModelSpec
from facespace.store import IndexSettings
from facespace.table import FaceTable

FACES_AT_ONCE = 50_000
N_PROBES = 1000
HARD_LIMIT = 10**12


def parts(real: EmbeddedFaces, spec: ModelSpec, n: int) -> Iterator[tuple[FaceTable, list[str]]]:
    """Drawn faces as tables, with the names of their people; the last face of some is kept back as a probe."""
    for start in range(0, n, FACES_AT_ONCE):
        size = min(FACES_AT_ONCE, n - start)
        rows, who = draw_faces(real, size, seed=1 + start)
        ids = np.random.default_rng(start).integers(1, 2**62, size)
        photos = tuple(f"/photos/{start}/{i}.jpg" for i in range(size))
        box = np.full((size, 4), np.nan, np.float32)
        points = np.full((size, 5, 2), np.nan, np.float32)
        one = np.ones(size, np.float32)
        table = FaceTable(
            spec.sha256, photos, tuple(f"{i:064x}" for i in ids.tolist()), ids, np.arange(size, dtype=np.int32), box,
            points, one, one, rows,
        )  # fmt: skip
        yield table, [f"person {start}-{k}" for k in who.tolist()]


def probes(real: EmbeddedFaces, n: int) -> np.ndarray:
    """Faces of people of the first part, of another day: drawn rows moved by the spread within people."""
    rows, who = draw_faces(real, min(n, FACES_AT_ONCE), seed=1)
    means = np.stack([rows[who == k].mean(0) for k in np.unique(who)[: 2 * N_PROBES]])
    rng = np.random.default_rng(7)
    spread = real.embeddings - np.stack([real.embeddings[real.labels == k].mean(0) for k in real.labels])
    moved = means[:N_PROBES] + spread[rng.choice(len(spread), len(means[:N_PROBES]))]
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True), np.float32)


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """The result, seconds, and processor seconds."""
    clock, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - clock, time.process_time() - processor


def in_memory(kind: str) -> int:
    """Bytes of this process: "VmRSS" now, "RssAnon" those that no other process shares, "VmHWM" most of all so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(kind + ":"))


def enrolled(path: Path, real: EmbeddedFaces, spec: ModelSpec, n: int) -> dict[str, float]:
    """Enrol drawn faces, part by part."""
    clock = processor = 0.0
    with Gallery(path) as gallery, progress(f"enrolling {n:,}") as on_face:
        for i, (table, names) in enumerate(parts(real, spec, n)):
            _, one, two = timed(lambda table=table, names=names: gallery.load(table, names, spec))
            clock, processor = clock + one, processor + two
            on_face(min(n, (i + 1) * FACES_AT_ONCE), n)
    return {
        "load_per_s": n / clock, "load_per_processor_s": n / processor, "load_peak_bytes": in_memory("VmHWM"),
    }  # fmt: skip


def built(path: Path, exact_up_to: int) -> dict[str, Any]:
    """Build the index; its size and state."""
    with Gallery(path) as gallery:
        gallery.roster.set_index(IndexSettings(exact_up_to=exact_up_to))
        _, clock, processor = timed(lambda: gallery.refresh_index(again=True))
        (state,) = gallery.index_states().values()
    files = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}.*-*"))
    return {
        "build_s": clock, "build_processor_s": processor, "build_peak_bytes": in_memory("VmHWM"),
        "index_file_bytes": files, **state.to_json(),
    }  # fmt: skip


def searched(path: Path, asked: np.ndarray, spec: ModelSpec) -> dict[str, float]:
    """Open a gallery and search it."""
    warm_up(asked, spec)
    before = in_memory("VmRSS"), in_memory("RssAnon")
    gallery = Gallery(path, create=False)
    _, opened, _ = timed(lambda: gallery.templates.search(asked[:1], spec, k=5, far=1e-3))
    single, many = asked[1:21], asked
    _, clock_1, processor_1 = timed(lambda: [gallery.templates.search(p[None], spec, k=5) for p in single])
    _, clock, processor = timed(lambda: gallery.templates.search(many, spec, k=5))
    after = in_memory("VmRSS"), in_memory("RssAnon")
    n = sum(gallery.templates.count().values())
    gallery.close()
    return {
        "open_s": opened, "ms_single": 1e3 * clock_1 / len(single),
        "ms_single_processor": 1e3 * processor_1 / len(single),
        "ms_batch": 1e3 * clock / len(many), "ms_batch_processor": 1e3 * processor / len(many),
        "resident_bytes_a_face": (after[0] - before[0]) / n, "own_bytes_a_face": (after[1] - before[1]) / n,
        "search_peak_bytes": in_memory("VmHWM"),
    }  # fmt: skip


def identified(path: Path, asked: np.ndarray, spec: ModelSpec) -> dict[str, float]:
    """Open a gallery and identify faces in it."""
    warm_up(asked, spec)
    gallery = Gallery(path, create=False)
    found, first, _ = timed(lambda: gallery.identify(asked[:1], spec))
    _, clock, processor = timed(lambda: gallery.identify(asked, spec))
    gallery.close()
    return {
        "identify_first_s": first, "identify_ms": 1e3 * clock / len(asked),
        "identify_ms_processor": 1e3 * processor / len(asked), "n_subjects": found.n_subjects,
        "identify_peak_bytes": in_memory("VmHWM"),
    }  # fmt: skip


def warm_up(asked: np.ndarray, spec: ModelSpec) -> None:
    """Import and allocate what every search needs, so that it is not counted as the gallery's."""
    with TemporaryDirectory() as folder, Gallery(Path(folder) / "small") as small:
        size = len(asked)
        blank = np.full((size, 4), np.nan, np.float32), np.full((size, 5, 2), np.nan, np.float32)
        one = np.ones(size, np.float32)
        table = FaceTable(
            spec.sha256, ("x",), ("x",), np.arange(size), np.zeros(size, np.int32), *blank, one, one, asked
        )
        small.load(table, ["somebody"] * size, spec)
        small.roster.set_index(IndexSettings(exact_up_to=len(asked) // 2))
        small.refresh_index(again=True)
        small.templates.search(asked, spec, k=5)


def alone(job: Callable[..., Any], *arguments: Any) -> Any:
    """The job's result, from a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(job, arguments)


def measure(
    folder: Path, real: EmbeddedFaces, spec: ModelSpec, n: int, *, cells_only: bool
) -> dict[str, Any]:
    """Everything about a gallery of so many faces."""
    path, asked = folder / f"{n}.gallery", probes(real, n)
    line: dict[str, Any] = {"n": n, **alone(enrolled, path, real, spec, n)}
    line["store_bytes_a_face"] = path.stat().st_size / n
    if not cells_only:
        line["exact"] = {**alone(built, path, HARD_LIMIT), **alone(searched, path, asked, spec)}
    line["cells"] = {**alone(built, path, n // 2), **alone(searched, path, asked, spec)}
    line.update(alone(identified, path, asked, spec))
    for file in folder.glob(f"{path.name}*"):
        file.unlink()
    return line


def plot(lines: list[dict[str, Any]], folder: Path) -> None:
    """Memory, time and recall over the number of faces, each a picture."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    wanted = {
        "scale_memory": ("resident bytes a face", "resident_bytes_a_face"),
        "scale_time": ("processor milliseconds a probe, one at a time", "ms_single_processor"),
    }
    for name, (label, key) in wanted.items():
        figure, axes = pyplot.subplots(figsize=(6, 3.6))
        for kind, shown in (("exact", "exact over bytes"), ("cells", "cells (IVF)")):
            known = [(line["n"], line[kind][key]) for line in lines if line.get(kind, {}).get(key, 0) > 0]
            axes.plot(*zip(*known, strict=True), "o-", label=shown)
        axes.set(xscale="log", yscale="log", xlabel="faces", ylabel=label)
        axes.grid(alpha=0.3)
        axes.legend()
        figure.savefig(folder / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
        pyplot.close(figure)
    figure, axes = pyplot.subplots(figsize=(6, 3.6))
    judged = [line for line in lines if "recall" in line.get("cells", {})]
    shares = [100 * line["cells"]["recall"]["share"] for line in judged]
    axes.plot([line["n"] for line in judged], shares, "o-")
    axes.axhline(98, ls="--", c="grey", label="asked for")
    axes.set(xscale="log", xlabel="faces", ylabel="hits within the threshold found, %", ylim=(95, 100.2))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(folder / "scale_recall.svg", bbox_inches="tight", metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--faces", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--model", help="calibrated embedder; the built-in one unless given")
    parser.add_argument("--cells-only", action="store_true", help="do not compare all")
    parser.add_argument(
        "--folder", type=Path, help="where the galleries lie meanwhile, up to 500 bytes a face"
    )
    parser.add_argument(
        "--json", type=Path, help="file to write, and to take the lines of earlier sizes from"
    )
    parser.add_argument("--plots", type=Path, help="folder of the pictures to write")
    asked = parser.parse_args()
    lines = json.loads(asked.json.read_text()) if asked.json and asked.json.exists() else []
    if asked.faces:
        embedder = Embedder(asked.model)
        val = open_crops(asked.data / "faces" / "val")
        real = val.embedded(embed_faces(val, embedder)[0])
    for n in asked.faces:
        with TemporaryDirectory(dir=asked.folder) as folder:
            line = measure(Path(folder), real, embedder.spec, n, cells_only=asked.cells_only)
        print(json.dumps(line, indent=1), flush=True)
        lines = sorted([*(old for old in lines if old["n"] != n), line], key=lambda one: one["n"])
        if asked.json:
            asked.json.write_text(json.dumps(lines, indent=1) + "\n")
    if asked.plots:
        plot(lines, asked.plots)


if __name__ == "__main__":
    main()
