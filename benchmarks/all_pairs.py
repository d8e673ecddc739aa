"""VAL at FAR over all pairs, against the bare matrix product of the same run: python benchmarks/all_pairs.py [--large]

Prints, for A x A and A x B, seconds and the ratio to the bare full product (all blocks multiplied, nothing counted); at
12,000 faces also with the second pass that makes each figure exact to the pair. The last line of a size is the largest
memory of the process so far.

On a machine that does other work, too, only the processor times can be compared; set OPENBLAS_NUM_THREADS=1 for them,
since the product's own threads count as busy while they wait for each other.
"""

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facespace.metrics import all_pairs, count_pairs
from facespace.metrics.pair_blocks import BLOCK_COLUMNS, BLOCK_ROWS

FARS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


def faces(n: int, *, per_identity: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit rows whose distances are spread roughly as those of a good model."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(n // per_identity), per_identity)
    rows = rng.normal(size=(n // per_identity, 128)).astype(np.float32)[labels]
    rows += 0.8 * rng.normal(size=(n, 128)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), labels


def bare_product(a: NDArray[np.float32], b: NDArray[np.float32]) -> None:
    """Every block of a @ b.T, forgotten at once."""
    block = np.empty(BLOCK_ROWS * BLOCK_COLUMNS, np.float32)
    for i in range(0, len(a), BLOCK_ROWS):
        rows = a[i : i + BLOCK_ROWS]
        for j in range(0, len(b), BLOCK_COLUMNS):
            columns = b[j : j + BLOCK_COLUMNS]
            np.matmul(rows, columns.T, out=block[: len(rows) * len(columns)].reshape(len(rows), -1))


def seconds(work: Callable[[], object], repeats: int) -> tuple[float, float]:
    """The shortest of several runs by the clock, and the least processor time of one, all threads together."""
    clock, processor = [], []
    for _ in range(repeats):
        start, used = time.perf_counter(), time.process_time()
        work()
        clock.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    return min(clock), min(processor)


def measure(n: int, repeats: int, *, exact: bool) -> None:
    """One size, both kinds of pairs."""
    a, labels = faces(n, per_identity=10, seed=0)
    b, other = faces(n, per_identity=10, seed=1)
    bare, bare_used = seconds(lambda: bare_product(a, b), repeats)
    print(
        f"{n} x {n}, 128 dimensions; bare product of all blocks: {bare:.3f} s ({bare_used:.3f} s of processors)"
    )
    cases: list[tuple[str, Callable[[], object]]] = [
        ("A x A, counted", lambda: count_pairs(a, labels)),
        ("A x A, exact to the pair", lambda: all_pairs(a, labels, fars=FARS)),
        ("A x B, counted", lambda: count_pairs(a, labels, b, other)),
        ("A x B, exact to the pair", lambda: all_pairs(a, labels, b, other, fars=FARS)),
    ]
    for name, work in cases[:: 1 if exact else 2]:
        taken, used = seconds(work, repeats)
        ratios = f"{taken / bare:5.2f} times the product, {used / bare_used:5.2f} times its processor time"
        print(f"{name:26} {taken:8.3f} s   {ratios}", flush=True)
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB at most")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="100,000 faces as well (a minute or two)")
    measure(12_000, repeats=5, exact=True)
    if parser.parse_args().large:
        measure(100_000, repeats=1, exact=False)
