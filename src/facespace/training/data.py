"""Training pictures: `root/<identity>/<image>`, decoded once into memory."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.errors import DataError

__all__ = ["FaceFolder", "read_face_folder"]

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


@dataclass(frozen=True)
class FaceFolder:
    """Aligned faces and who they show.

    Attributes:
        crops: uint8 RGB, shape (N, H, W, 3).
        labels: int64, shape (N,), an index into ``identities``.
        identities: folder names, sorted.
    """

    crops: NDArray[np.uint8]
    labels: NDArray[np.int64]
    identities: tuple[str, ...]


def read_face_folder(root: Path, *, size_hw: tuple[int, int] = (112, 112), workers: int = 2) -> FaceFolder:
    """Decode every picture below ``root/<identity>/`` at ``size_hw``.

    Raises:
        DataError: no such folder, or fewer than two identities with pictures in it.
    """
    folders = sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
    files = [[f for f in sorted(d.iterdir()) if f.suffix.lower() in SUFFIXES] for d in folders]
    kept = [(d.name, fs) for d, fs in zip(folders, files, strict=True) if fs]
    if len(kept) < 2:
        raise DataError(
            f"{root}: expected folders <identity>/<image>, met {len(kept)} identities with pictures"
        )
    paths = [path for _, fs in kept for path in fs]
    labels = np.repeat(np.arange(len(kept)), [len(fs) for _, fs in kept])
    crops = np.empty((len(paths), *size_hw, 3), np.uint8)

    def decode(index: int) -> None:
        with Image.open(paths[index]) as image:
            upright = image.convert("RGB")
            if upright.size[::-1] != size_hw:
                upright = upright.resize(size_hw[::-1])
            crops[index] = np.asarray(upright)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(decode, range(len(paths))))
    return FaceFolder(crops, labels.astype(np.int64), tuple(name for name, _ in kept))
