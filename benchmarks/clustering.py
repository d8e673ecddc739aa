"""Clustering: time and memory beside SciPy and fastcluster, growth to a million, agreement with the exact result.

    python benchmarks/clustering.py exact --data DIR --n 20000
    python benchmarks/clustering.py large --data DIR --n 10000 30000 100000 300000 1000000 --plot growth.png
    python benchmarks/clustering.py agreement --data DIR

Every figure comes from a process of its own, so that peak memory is that of one method. The faces of `exact` and
`large` are drawn with the spreads within and between people measured on DATA/faces/val. fastcluster is not a
dependency: pip install fastcluster, or its row is left out. Besides the clock, processor seconds are shown, since a
machine is seldom idle.
"""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from facespace.cluster import agglomerative, collection_threshold, partition
from facespace.embed import Embedder
from facespace.evaluate.holdout import embed_holdout
from facespace.evaluate.lfw import crop_face
from facespace.extract import extract_crops
from facespace.faces.detect import Detector
from facespace.images import read_image
from facespace.metrics import pairwise_scores
from facespace.saved_arrays import ArrayFolder

FACES_A_PERSON = 8
# The others hold all distances as float64: 2.5 GB at this many faces.
MAX_MATRIX = 25_000
AGREEMENT_FACES = 50_000
# As a million faces are searched: 48 of 976 cells.
CELLS_LOOKED_INTO = 0.05


def draw_faces(real: np.ndarray, labels: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows of people with the means and covariances, within and between, of the real ones."""
    rng = np.random.default_rng(1)
    means = np.stack([real[labels == k].mean(0) for k in np.unique(labels)])
    within, between = np.cov((real - means[labels]).T), np.cov(means.T)
    tiny = 1e-6 * np.eye(real.shape[1])
    spread = [np.linalg.cholesky(c + tiny).astype(np.float32).T for c in (within, between)]
    sizes = 1 + rng.geometric(1 / FACES_A_PERSON, n // FACES_A_PERSON + 1)
    truth = np.repeat(np.arange(len(sizes)), sizes)[:n]
    people = real.mean(0) + rng.standard_normal((len(sizes), real.shape[1]), np.float32) @ spread[1]
    rows = np.empty((len(truth), real.shape[1]), np.float32)
    for begin in range(0, len(truth), 50_000):
        part = slice(begin, begin + 50_000)
        noise = rng.standard_normal((len(truth[part]), real.shape[1]), np.float32)
        rows[part] = people[truth[part]] + noise @ spread[0]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, truth


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


def ours(
    real: np.ndarray, labels: np.ndarray, n: int, threshold: float, folder: str | None = None
) -> dict[str, Any]:
    """Average linkage by facespace."""
    rows, truth = draw_faces(real, labels, n)
    saved = ArrayFolder(Path(folder), f"{n}") if folder else None
    found, seconds = _timed(lambda: agglomerative(rows, threshold=threshold, saved=saved))
    scores = pairwise_scores(truth, found.labels)
    return {
        "method": "facespace",
        "n": len(rows),
        **seconds,
        "recall@8": found.recall,
        "f1": round(scores.f1, 4),
    }


def scipy_average(real: np.ndarray, labels: np.ndarray, n: int, package: str) -> dict[str, Any]:
    """Average linkage by SciPy or fastcluster, distances included."""
    from scipy.spatial.distance import pdist

    if package == "scipy":
        from scipy.cluster.hierarchy import linkage
    else:
        from fastcluster import linkage
    rows, _ = draw_faces(real, labels, n)
    tree, seconds = _timed(lambda: linkage(pdist(rows.astype(np.float64), "sqeuclidean"), "average"))
    return {"method": package, "n": len(rows), **seconds, "highest_merge": round(float(tree[-1, 2]), 4)}


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


def real_faces(data: Path, embedder: Embedder, n: int, cache: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of faces/train, faces/val and LFW, filled to ``n`` with shifted and brightened copies of their crops."""
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
        return crop_face(read_image(path).pixels, detector, embedder)[0][0]
    ((_, _, crop),) = extract_crops([path], embedder)
    return crop


def _augmented(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shift = rng.integers(-4, 5, 2)
    pixels = np.roll(crop, shift, (0, 1)).astype(np.float32)
    return np.clip((pixels - 127) * rng.uniform(0.6, 1.3) + 127 + rng.uniform(-30, 30), 0, 255).astype(
        np.uint8
    )


def _growth(rows: list[dict[str, Any]], path: Path | None) -> None:
    n, seconds = (np.log([row[key] for row in rows]) for key in ("n", "processor_seconds"))
    slope, start = np.polyfit(n, seconds, 1)
    print(f"processor time grows as n^{slope:.2f}")
    if path:
        from matplotlib.figure import Figure

        axes = (figure := Figure(figsize=(7, 5), layout="constrained")).add_subplot()
        axes.loglog(np.exp(n), np.exp(seconds), "o", label="measured")
        axes.loglog(np.exp(n), np.exp(start + slope * n), label=f"n^{slope:.2f}")
        axes.set(xlabel="faces", ylabel="processor seconds", title="Average linkage, facespace")
        axes.legend(frameon=False)
        figure.savefig(path, dpi=130)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["exact", "large", "agreement"])
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--model", help="calibrated embedder; the built-in one unless given")
    parser.add_argument("--n", type=int, nargs="+", default=[20_000], help="faces")
    parser.add_argument(
        "--threshold", type=float, help="of large and agreement; by the collection's size unless given"
    )
    parser.add_argument("--keep", help="folder that keeps the searches of large, to go on after a stop")
    parser.add_argument("--cache", type=Path, help="npz file that keeps the embeddings of agreement")
    parser.add_argument("--plot", type=Path, help="picture of the growth to write")
    asked = parser.parse_args()
    embedder = Embedder(asked.model)
    if asked.what == "agreement":
        rows, truth = real_faces(asked.data, embedder, AGREEMENT_FACES, asked.cache)
        limit = asked.threshold or collection_threshold(embedder.spec.distances, len(rows)).distance
        print(measured(agreement, rows, truth, limit))
        return
    val = embed_holdout(asked.data / "faces" / "val", embedder)
    found = []
    for n in asked.n:
        if asked.what == "exact":
            found.append(measured(ours, val.embeddings, val.labels, n, np.inf))
            print(found[-1], flush=True)
            for package in ("scipy", "fastcluster") if n <= MAX_MATRIX else ():
                try:
                    print(measured(scipy_average, val.embeddings, val.labels, n, package), flush=True)
                except ImportError:
                    print(f"{package} is not installed")
        else:
            limit = asked.threshold or collection_threshold(embedder.spec.distances, n).distance
            found.append(
                {
                    **measured(ours, val.embeddings, val.labels, n, limit, asked.keep),
                    "threshold": round(limit, 3),
                }
            )
            print(found[-1], flush=True)
    if len(found) > 1:
        _growth(found, asked.plot)


if __name__ == "__main__":
    main()
