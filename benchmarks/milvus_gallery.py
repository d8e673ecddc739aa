"""What a gallery in Milvus costs: python benchmarks/milvus_gallery.py milvus://HOST:PORT/NAME [--faces 100000]

Faces are drawn: four of each subject, around directions drawn by chance. Prints one JSON document; compare figures of
one run with one another only. The gallery must be a new one; it stays.
"""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facespace.embed import dequantise, quantise
from facespace.gallery import Gallery
from facespace.models import ModelSpec
from facespace.table import FaceTable

DIM, PER_SUBJECT, PROBES, K = 128, 4, 200, 5
SPEC = ModelSpec(
    "drawn", "1", "embedder", (112, 112), dim=DIM, sha256="d" * 64, byte_scale=320.0,
    distances={"1e-2": 1.4, "1e-5": 1.0},
)  # fmt: skip


def drawn(n: int, seed: int) -> NDArray[np.float32]:
    """Unit rows, those of a subject beside one another."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(-(-n // PER_SUBJECT), DIM)), PER_SUBJECT, axis=0)[:n]
    rows = centres + 0.6 * rng.normal(size=(n, DIM))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def table(rows: NDArray[np.float32], first: int) -> FaceTable:
    """Ready crops with these embeddings."""
    n = len(rows)
    names, nothing = tuple(f"{first + i}.png" for i in range(n)), np.full((n, 14), np.nan, np.float32)
    return FaceTable(
        SPEC.sha256, names, tuple(f"{first + i:064x}" for i in range(n)), first + np.arange(n), np.arange(n),
        nothing[:, :4], nothing[:, 4:].reshape(n, 5, 2), nothing[:, 0], np.full(n, 0.5, np.float32), rows,
    )  # fmt: skip


def seconds(do: Callable[[], object], times: int = 1) -> float:
    """The mean of some calls."""
    began = time.perf_counter()
    for _ in range(times):
        do()
    return (time.perf_counter() - began) / times


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("address")
    parser.add_argument("--faces", type=int, default=100_000)
    asked = parser.parse_args()
    rows, at_once = drawn(asked.faces, 0), 10_000
    found: dict[str, object] = {"faces": asked.faces}
    with Gallery(asked.address) as gallery:
        load = sum(
            seconds(
                lambda start=start: gallery.load(
                    table(rows[start : start + at_once], 1 + start),
                    [f"N{(start + i) // PER_SUBJECT}" for i in range(len(rows[start : start + at_once]))],
                    SPEC,
                )
            )
            for start in range(0, len(rows), at_once)
        )
        found["faces_a_second"] = round(asked.faces / load)
        probes = rows[:: max(1, len(rows) // PROBES)][:PROBES] + np.random.default_rng(1).normal(
            0, 0.03, (PROBES, DIM)
        ).astype(np.float32)
        probes /= np.linalg.norm(probes, axis=1, keepdims=True)
        gallery.search(probes[:1], SPEC, k=K, far=1e-5)
        found["ms_one_probe"] = round(
            1e3 * seconds(lambda: gallery.search(probes[:1], SPEC, k=K, far=1e-5), 10), 1
        )
        found["ms_a_probe_of_200"] = round(
            1e3 * seconds(lambda: gallery.search(probes, SPEC, k=K, far=1e-5), 3) / PROBES, 2
        )
        hits = gallery.search(probes, SPEC, k=K, far=1e-5)
        exact = dequantise(quantise(probes, SPEC.byte_scale)) @ dequantise(quantise(rows, SPEC.byte_scale)).T
        best = [set((1 + np.argsort(-row)[:K]).tolist()) for row in exact]
        near = [{m.face.face_id for m in row} for row in hits]
        found["share_of_the_nearest_5"] = round(
            sum(len(a & b) for a, b in zip(near, best, strict=True)) / (K * len(best)), 4
        )
        found["s_first_identify"] = round(seconds(lambda: gallery.identify(probes[:1], SPEC)), 2)
        found["ms_identify_200"] = round(1e3 * seconds(lambda: gallery.identify(probes, SPEC)) / PROBES, 2)
    with Gallery(asked.address) as gallery:
        found["s_open_and_search"] = round(
            seconds(lambda: gallery.search(probes[:1], SPEC, k=K, far=1e-5)), 2
        )
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
