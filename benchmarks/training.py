"""What training costs on this machine, each figure beside a yardstick of the same run.

    python benchmarks/training.py mining
    python benchmarks/training.py step --network nn2 --batch 1800 --chunk 30
    python benchmarks/training.py loader --data ../shared/data

`mining`: the paper's batch (1,800 x 128, 40 faces an identity), time and memory beside pytorch-metric-learning's miner
with squared distances, at the largest n that it bears in MEMORY_MB. `step`: time and peak memory of one whole step.
`loader`: pictures decoded a second beside what the shipped network trains a second.
"""

import argparse
import json
import multiprocessing
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

MEMORY_MB = 6000
ROUNDS = 7


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def best_ms(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return 1000 * min(times)


def apart(work: Callable[..., object], *arguments: object) -> dict[str, object]:
    """What ``work`` returns, from a process of its own: peak memory cannot be reset within one."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        result: dict[str, object] = pool.apply(work, arguments)
    return result


def batch(n: int, faces: int = 40, spread: float = 1.6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) // faces
    centres = torch.randn(int(labels.max()) + 1, 128, generator=generator)
    noise = torch.randn(n, 128, generator=generator)
    return F.normalize(centres[labels] + spread * noise, dim=1), labels


def mine_ours(n: int, threads: int, rule: str = "semi-hard") -> dict[str, object]:
    from facespace.training.mining import mine

    torch.set_num_threads(threads)
    embeddings, labels = batch(n)
    mine(embeddings[:256], labels[:256])
    before = peak_mb()
    generator = torch.Generator().manual_seed(0)
    found = mine(embeddings, labels, rule=rule, generator=generator)
    memory = peak_mb() - before
    ms = best_ms(lambda: mine(embeddings, labels, rule=rule, generator=generator))
    return {"ms": ms, "mb": memory, "triplets": len(found), "pairs": found.n_pairs}


def mine_peer(n: int, threads: int) -> dict[str, object]:
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.miners import TripletMarginMiner

    torch.set_num_threads(threads)
    embeddings, labels = batch(n)
    squared = LpDistance(p=2, power=2, normalize_embeddings=True)
    miner = TripletMarginMiner(margin=0.2, type_of_triplets="semihard", distance=squared)
    miner(embeddings[:128], labels[:128])
    before = peak_mb()
    found = miner(embeddings, labels)
    memory = peak_mb() - before
    return {"ms": best_ms(lambda: miner(embeddings, labels), 3), "mb": memory, "triplets": len(found[0])}


def mining(threads: int) -> dict[str, object]:
    report: dict[str, object] = {"paper": apart(mine_ours, 1800, threads)}
    for n in (256, 400, 600, 800, 1000, 1200):
        peer = apart(mine_peer, n, threads)
        ours = apart(mine_ours, n, threads)
        ratio = ours["ms"] / peer["ms"]  # type: ignore[operator]
        report[f"n={n}"] = {"ours": ours, "pytorch-metric-learning": peer, "ratio": round(ratio, 4)}
        if peer["mb"] > MEMORY_MB / 2:  # type: ignore[operator]
            break
    return report


def one_step(network: str, n: int, chunk: int, threads: int, bfloat16: bool) -> dict[str, object]:
    from facespace.training.data import Faces
    from facespace.training.feed import Portion
    from facespace.training.loop import Trainer
    from facespace.training.material import Material
    from facespace.training.recipe import Batches, Recipe

    labels = np.arange(n) // 40
    crops = np.random.default_rng(0).integers(0, 255, (n, 112, 112, 3)).astype(np.uint8)
    batches = Batches(batch_size=n, faces_per_identity=40, chunk=chunk)
    recipe = Recipe("step", network=network, batches=batches, threads=threads, bfloat16=bfloat16)
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(recipe, Material(Faces.of_arrays(crops, labels)), Path(folder))
        started = time.perf_counter()
        trainer._train_step(Portion(np.arange(n), crops), 0.5, 1e-3)
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "faces_per_second": n / seconds, "peak_mb": peak_mb()}


def loader(data: Path, threads: int) -> dict[str, object]:
    from facespace.training.data import open_faces

    faces = open_faces(data / "faces" / "val", cache_bytes=0)
    everyone = np.arange(len(faces))
    decoded = 1000 * len(faces) / best_ms(lambda: faces.crops(everyone), 3)
    step = apart(one_step, "plain-residual", 256, 0, threads, True)
    trained = float(step["faces_per_second"])  # type: ignore[arg-type]
    return {"decoded_per_second": decoded, "trained_per_second": trained, "ratio": decoded / trained}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("mining", "step", "loader"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--network", default="nn2")
    parser.add_argument("--batch", type=int, default=1800)
    parser.add_argument("--chunk", type=int, default=30)
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    if options.what == "mining":
        report = mining(options.threads)
    elif options.what == "step":
        arguments = (options.network, options.batch, options.chunk, options.threads, options.bfloat16)
        report = apart(one_step, *arguments)
    else:
        report = loader(options.data, options.threads)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
