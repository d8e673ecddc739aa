"""The nearest of many prototypes: by their bytes, for certain, and by comparing all.

    python benchmarks/prototypes.py --data DIR --subjects 100000 1000000

Prototypes are drawn with the mean and covariance of the model's faces on DATA/faces/val. The two ways take turns with
each probe; half of the probes are near a prototype. Both must name the same one, at the same distance.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from facespace.embed import Embedder
from facespace.measure.embedding import embed_faces
from facespace.measure.experiments.clustering import spread_of
from facespace.measure.faces import EmbeddedFaces, open_crops
from facespace.models import far_curve
from facespace.store.index_files import map_arrays, write_arrays
from facespace.store.prototypes import Prototypes, PrototypeScan, bytes_of
from facespace.store.scan import faiss_if_there

N_PROBES = 200


def drawn(real: EmbeddedFaces, n: int) -> np.ndarray:
    """Unit rows of n people, with the mean and covariance of real faces."""
    spread = spread_of(real.embeddings)
    rows = np.random.default_rng(0).standard_normal((n, len(spread)), np.float32) @ spread
    rows += real.embeddings.mean(0)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def measure(real: EmbeddedFaces, model: Embedder, n: int, file: Path) -> str:
    """Median milliseconds of processor time of one probe, by either way."""
    people = drawn(real, n + N_PROBES)
    rows, others = people[:n], people[n:]
    others[::2] = rows[: N_PROBES // 2] + 0.02 * others[::2]
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    codes, scale, error = bytes_of(rows)
    write_arrays(file, {}, {"rows": rows, "codes": codes})
    arrays = map_arrays(file)[1]
    scan = PrototypeScan(arrays["codes"], scale, error, faiss_if_there())
    curve, ids = far_curve(model.spec, model.spec), np.arange(n)
    ways = [Prototypes(curve, ids, np.asarray(arrays["rows"]), ids + 1, None, way) for way in (scan, None)]
    spent: list[list[float]] = [[], []]
    for i in range(len(others)):
        found = []
        for way, times in zip(ways, spent, strict=True):
            begun = time.process_time()
            found.append(way.nearest(others[i : i + 1]))
            times.append(1e3 * (time.process_time() - begun))
        assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))
    certain = np.mean([scan.nearest(one[None], rows, None)[0] >= 0 for one in others])
    by_bytes, by_all = map(np.median, spent)
    return f"{n:,} subjects: by bytes {by_bytes:.1f} ms, all {by_all:.1f} ms; {certain:.1%} certain by bytes"


def main() -> None:
    """One line for each number of subjects."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--subjects", type=int, nargs="+", default=[100_000, 1_000_000])
    given = parser.parse_args()
    model, faces = Embedder(), open_crops(given.data / "faces" / "val")
    real = faces.embedded(embed_faces(faces, model)[0])
    with TemporaryDirectory() as folder:
        for n in given.subjects:
            print(measure(real, model, n, Path(folder) / f"{n}"), flush=True)


if __name__ == "__main__":
    main()
