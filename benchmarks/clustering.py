"""Clustering: time and memory beside SciPy and fastcluster, growth to a million, agreement with the exact result.

    python benchmarks/clustering.py exact --data DIR --n 20000
    python benchmarks/clustering.py large --data DIR --n 10000 30000 100000 300000 1000000 --plot growth.png
    python benchmarks/clustering.py agreement --data DIR
    python benchmarks/clustering.py components --data DIR --n 10000 30000

Every figure comes from a process of its own, so that peak memory is that of one method. The faces of `exact` and
`large` are drawn with the spreads within and between people measured on DATA/faces/val. fastcluster is not a
dependency: pip install fastcluster, or its row is left out. Besides the clock, processor seconds are shown, since a
machine is seldom idle.
"""

import argparse
import dataclasses
import multiprocessing
import resource
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from facespace.cli.progress import progress
from facespace.cluster import agglomerative, collection_threshold, partition
from facespace.cluster.conflicts import Conflicts
from facespace.cluster.constraints import components
from facespace.cluster.groups import Groups
from facespace.cluster.near import NEAR, all_pairs_of_blocks
from facespace.embed import Embedder
from facespace.extract import extract_crops
from facespace.faces.detect import Detector
from facespace.images import read_image
from facespace.measure.embedding import embed_faces, find_place
from facespace.measure.experiments.clustering import GrowthPoint, draw_faces, exponent, measure_growth
from facespace.measure.faces import EmbeddedFaces, open_crops
from facespace.measure.views import AS_IT_IS, crop_face
from facespace.metrics import pairwise_scores
from facespace.saved_arrays import ArrayFolder

# The others hold all distances as float64: 2.5 GB at this many faces.
MAX_MATRIX = 25_000
AGREEMENT_FACES = 50_000
# As a million faces are searched: 48 of 976 cells.
CELLS_LOOKED_INTO = 0.05


def measured(job: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """The job's result with seconds and peak memory, from a process of its own."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_measure, (job, arguments))


def _measure(job: Callable[..., dict[str, Any]], arguments: tuple[Any, ...]) -> dict[str, Any]:
    result = job(*arguments)
    return {**result, "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)}


def _timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    clock, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, {
        "seconds": round(time.perf_counter() - clock, 1),
        "processor_seconds": round(time.process_time() - processor, 1),
    }


def ours(real: EmbeddedFaces, n: int) -> dict[str, Any]:
    """The whole tree of average linkage by facespace."""
    rows, _ = draw_faces(real, n)
    tree, seconds = _timed(lambda: agglomerative(rows, threshold=np.inf).merges)
    return {"method": "facespace", "n": n, **seconds, "highest_merge": round(float(tree[-1, 2]), 4)}


def theirs(real: EmbeddedFaces, n: int, package: str) -> dict[str, Any]:
    """The same by SciPy or fastcluster, distances included."""
    from scipy.spatial.distance import pdist

    if package == "scipy":
        from scipy.cluster.hierarchy import linkage
    else:
        from fastcluster import linkage
    rows, _ = draw_faces(real, n)
    tree, seconds = _timed(lambda: linkage(pdist(rows.astype(np.float64), "sqeuclidean"), "average"))
    return {"method": package, "n": n, **seconds, "highest_merge": round(float(tree[-1, 2]), 4)}


def large(
    real: EmbeddedFaces, distances: dict[str, float | None], n: int, folder: Path | None
) -> dict[str, Any]:
    """One size of the growth, with a bar on a terminal."""
    with progress(f"{n:,} faces") as on_progress:
        keep = (lambda n: ArrayFolder(folder / f"{n}", f"{n}")) if folder else None
        (point,) = measure_growth(real, distances, [n], keep=keep, on_progress=on_progress)
    return dataclasses.asdict(point)


def agreement(rows: np.ndarray, truth: np.ndarray, threshold: float) -> dict[str, Any]:
    """The search among cells against the exact result, on the same faces."""
    exact, exact_time = _timed(lambda: agglomerative(rows, threshold=threshold, search="exact"))
    partition.CELL_SIZE = 256
    partition.PROBES = max(1, round(CELLS_LOOKED_INTO * len(rows) / partition.CELL_SIZE))
    found, found_time = _timed(lambda: agglomerative(rows, threshold=threshold, search="partition"))
    return {
        "n": len(rows),
        "threshold": round(threshold, 3),
        "exact_f1_against_truth": round(pairwise_scores(truth, exact.labels).f1, 4),
        "f1_against_exact": round(pairwise_scores(exact.labels, found.labels).f1, 4),
        "recall@8": round(found.recall, 4),
        "exact": exact_time,
        "partition": found_time,
    }


def graph(real: EmbeddedFaces, distances: dict[str, float | None], n: int) -> list[dict[str, Any]]:
    """The components of the pairs up to shares of a collection's threshold."""
    rows, _ = draw_faces(real, n)
    limit = collection_threshold(distances, n).distance
    groups, conflicts = Groups(rows, np.arange(n)), Conflicts(n, np.zeros((0, 2), np.int64))
    found = []
    for share in (1.0, 0.85, NEAR, 0.65):
        pairs = all_pairs_of_blocks(groups, conflicts, share * limit)
        edges = np.concatenate([pairs(block) for block in range(pairs.n_blocks)])
        sizes = np.bincount(components(n, edges.astype(np.int64)))
        sizes = np.sort(sizes[sizes > 0])[::-1]
        found.append(
            {
                "n": n,
                "share": share,
                "distance": round(share * limit, 3),
                "near_faces": round(2 * len(edges) / n, 1),
                "components": len(sizes),
                "largest": int(sizes[0]),
            }
        )
    return found


def real_faces(data: Path, embedder: Embedder, n: int, cache: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of faces/train, faces/val and LFW, filled to ``n`` with shifted and brightened copies."""
    if cache and cache.exists():
        with np.load(cache) as kept:
            return kept["rows"], kept["truth"]
    rng, detector = np.random.default_rng(0), Detector()
    found = [*sorted((data / "faces").glob("*/*/*.jpg")), *sorted((data / "lfw").glob("*/*.jpg"))][:n]
    copied = [found[i] for i in rng.choice(len(found), n - len(found), replace=False)]
    rows = []
    for begin in range(0, n, 512):
        crops = []
        for k, path in enumerate([*found, *copied][begin : begin + 512], begin):
            crop = _crop(path, data, detector, embedder)
            crops.append(_augmented(crop, rng) if k >= len(found) else crop)
        rows.append(embedder.embed(np.stack(crops)))
    # A name is one person only within its data set.
    names = [str(path.parent.relative_to(data)) for path in [*found, *copied]]
    _, truth = np.unique(names, return_inverse=True)
    if cache:
        np.savez(cache, rows=np.concatenate(rows), truth=truth)
    return np.concatenate(rows), truth


def _crop(path: Path, data: Path, detector: Detector, embedder: Embedder) -> np.ndarray:
    """A ready thumbnail, or the face in the middle of a picture of LFW."""
    if path.is_relative_to(data / "lfw"):
        image = read_image(path).pixels
        return crop_face(image, find_place(image, detector), AS_IT_IS, embedder.spec)
    ((_, _, crop),) = extract_crops([path], embedder)
    return crop


def _augmented(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shift = rng.integers(-4, 5, 2)
    pixels = np.roll(crop, shift, (0, 1)).astype(np.float32)
    return np.clip((pixels - 127) * rng.uniform(0.6, 1.3) + 127 + rng.uniform(-30, 30), 0, 255).astype(
        np.uint8
    )


def _show_growth(points: list[GrowthPoint], path: Path | None) -> None:
    print(f"processor time grows as n^{exponent(points):.2f}; {local_exponents(points)}")
    if path:
        from matplotlib.figure import Figure

        n, seconds = np.array([p.n for p in points]), np.array([p.processor_seconds for p in points])
        axes = (figure := Figure(figsize=(7, 5), layout="constrained")).add_subplot()
        axes.loglog(n, seconds, "o-", label=f"measured, n^{exponent(points):.2f}")
        axes.loglog(n, seconds[0] * (n / n[0]) ** 2, "--", color="grey", label="n^2")
        axes.set(xlabel="faces", ylabel="processor seconds", title="Average linkage, facespace")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
        figure.savefig(path, dpi=130)


def local_exponents(points: list[GrowthPoint]) -> str:
    """From each size to the next."""
    steps = [f"n^{exponent([a, b]):.2f} from {a.n:,} to {b.n:,}" for a, b in pairwise(points)]
    return ", ".join(steps)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["exact", "large", "agreement", "components"])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--model", help="calibrated embedder; the built-in one unless given")
    parser.add_argument("--n", type=int, nargs="+", default=[20_000], help="faces, of exact and large")
    parser.add_argument("--threshold", type=float, help="of agreement; by the collection's size unless given")
    parser.add_argument("--keep", type=Path, help="folder that keeps large's searches, to go on after a stop")
    parser.add_argument("--cache", type=Path, help="npz file that keeps the embeddings of agreement")
    parser.add_argument("--plot", type=Path, help="picture of large's growth to write")
    asked = parser.parse_args()
    embedder = Embedder(asked.model)
    if asked.what == "agreement":
        rows, truth = real_faces(asked.data, embedder, AGREEMENT_FACES, asked.cache)
        limit = asked.threshold or collection_threshold(embedder.spec.distances, len(rows)).distance
        print(measured(agreement, rows, truth, limit))
        return
    val = open_crops(asked.data / "faces" / "val")
    real = val.embedded(embed_faces(val, embedder)[0])
    if asked.what == "exact":
        _exact(real, asked.n)
        return
    if asked.what == "components":
        for n in asked.n:
            print(*graph(real, embedder.spec.distances, n), sep="\n", flush=True)
        return
    found = []
    for n in asked.n:
        found.append(measured(large, real, embedder.spec.distances, n, asked.keep))
        print(found[-1], flush=True)
    if len(found) > 1:
        fields = [field.name for field in dataclasses.fields(GrowthPoint)]
        _show_growth([GrowthPoint(**{name: row[name] for name in fields}) for row in found], asked.plot)


def _exact(real: EmbeddedFaces, sizes: list[int]) -> None:
    for n in sizes:
        print(measured(ours, real, n), flush=True)
        for package in ("scipy", "fastcluster") if n <= MAX_MATRIX else ():
            try:
                print(measured(theirs, real, n, package), flush=True)
            except ImportError:
                print(f"{package} is not installed")


if __name__ == "__main__":
    main()
