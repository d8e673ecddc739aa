"""A pool of faces as a few small files, for a machine that holds no data: WebP pictures and arrays.

    python -m lab.embedder.pack ../shared/data MORE FOLDER

Of the unnamed faces that are set aside only some go along; the faces that photographs of ``MORE/wider`` show do too.
"""

import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.faces.detect import Detector
from facespace.models import find_model
from lab.embedder.faces import FacePool, open_pool

QUALITY = 60
PART_BYTES = 46_000_000
N_DEV = 1500


def write_pack(pool: FacePool, folder: Path, *, part_bytes: int = PART_BYTES) -> list[Path]:
    """Write ``pool`` as `FOLDER/0/faces.npz` and so on, none much larger than ``part_bytes``."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        blobs = list(threads.map(_encode, pool.crops))
    sizes = np.array([len(blob) for blob in blobs])
    part = np.cumsum(sizes) // part_bytes
    paths = []
    for k in range(int(part[-1]) + 1):
        of = np.flatnonzero(part == k)
        arrays = {
            "pixels": np.frombuffer(b"".join(blobs[i] for i in of), np.uint8),
            "sizes": sizes[of],
            "labels": pool.labels[of],
            "source": pool.source[of],
            "dev": pool.dev[of],
        }
        if k == 0:
            arrays |= {f"pool-{i}": members for i, members in enumerate(pool.pools)}
        paths.append(folder / str(k) / "faces.npz")
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        np.savez(paths[-1], **arrays)  # type: ignore[arg-type]
    return paths


def read_pack(folder: Path) -> FacePool:
    """The pool of all parts below ``folder``."""
    parts = [np.load(path) for path in sorted(folder.glob("*/faces.npz"), key=lambda p: int(p.parent.name))]
    blobs = [blob for part in parts for blob in np.split(part["pixels"], np.cumsum(part["sizes"])[:-1])]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        crops = np.stack(list(threads.map(_decode, blobs)))
    labels, source, dev = (
        np.concatenate([part[name] for part in parts]) for name in ("labels", "source", "dev")
    )
    pools = tuple(parts[0][name] for name in sorted(parts[0].files) if name.startswith("pool-"))
    return FacePool(crops, labels, source, dev, pools)


def _encode(crop: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(crop).save(file, "WEBP", quality=QUALITY)
    return file.getvalue()


def _decode(blob: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(blob.tobytes())).convert("RGB"))


def main() -> None:
    """Pack all faces that training or choosing needs."""
    data, more, folder = map(Path, sys.argv[1:4])
    pool = open_pool(data, more, Detector(find_model(None, "detector")))
    aside = np.flatnonzero(pool.dev & (pool.source == "more"))
    left_out = np.setdiff1d(aside, aside[:: max(1, len(aside) // N_DEV)])
    for path in write_pack(pool.part(np.setdiff1d(np.arange(len(pool)), left_out)), folder):
        print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
