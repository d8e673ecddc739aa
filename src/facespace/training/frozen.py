"""Models that do not change during a run: a teacher, an older version. Each embeds a picture once."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.models import ModelSpec
from facespace.saved_files import written_beside
from facespace.training.data import Faces

__all__ = ["Crops", "FrozenModel", "ask", "ask_once", "digest_of", "resized"]

CHUNK = 256

Crops = Callable[[NDArray[np.int64]], NDArray[np.uint8]]  # indices (k,) -> RGB (k, H, W, 3)


class FrozenModel(Protocol):
    """An embedder that may be called from several threads, such as `facespace.embed.Embedder`."""

    spec: ModelSpec

    def embed(self, crops: NDArray[np.uint8], *, flip: bool = False) -> NDArray[np.float32]:
        """Unit rows (N, D) of uint8 crops (N, H, W, 3)."""


def ask(
    model: FrozenModel,
    crops: Crops,
    n: int,
    *,
    flip: bool,
    on_done: Callable[[int], None] = lambda done: None,
) -> NDArray[np.float32]:
    """Unit rows (n, D) of n pictures, on all cores.

    Args:
        model: of any input size; pictures of another are resized.
        crops: indices (k,) -> uint8 RGB (k, H, W, 3).
        n: pictures.
        flip: add the mirror image's embedding to each.
        on_done: called with how many are done.
    """
    chunks = [np.arange(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]
    rows = [np.zeros((0, model.spec.dim), np.float32)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda c: model.embed(resized(crops(c), model.spec.input_hw), flip=flip), chunks)
        for chunk, part in zip(chunks, answers, strict=True):
            rows.append(part)
            on_done(int(chunk[-1]) + 1)
    return np.concatenate(rows)


def ask_once(
    path: Path, model: FrozenModel, crops: Crops, n: int, *, flip: bool, on_done: Callable[[int], None]
) -> NDArray[np.float32]:
    """As `ask`; the rows are kept at ``path``, whose name must identify model and pictures, for later runs."""
    if not path.is_file():
        rows = ask(model, crops, n, flip=flip, on_done=on_done)
        with written_beside(path) as partial, partial.open("wb") as file:
            np.save(file, rows)
    kept: NDArray[np.float32] = np.load(path, allow_pickle=False)
    return kept


def resized(crops: NDArray[np.uint8], size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8 RGB crops (N, H, W, 3) at another size, as `facespace.extract` resizes ready thumbnails."""
    if crops.shape[1:3] == size_hw:
        return crops
    made = np.empty((len(crops), *size_hw, 3), np.uint8)
    for crop, row in zip(crops, made, strict=True):
        row[:] = np.asarray(
            Image.fromarray(crop).resize(size_hw[::-1], Image.Resampling.BILINEAR, reducing_gap=2.0)
        )
    return made


def digest_of(model: FrozenModel, faces: Faces, options: str) -> str:
    """Identifies a model's embeddings of ``faces``: its weights, the faces' pixels in order, and further options.

    File names do not count: a picture that was replaced under its name has another embedding.
    """
    digest = hashlib.sha256(f"{model.spec.sha256} {len(faces)} {options}".encode())
    for start in range(0, len(faces), CHUNK):
        digest.update(faces.crops(np.arange(start, min(start + CHUNK, len(faces)))).tobytes())
    return digest.hexdigest()[:16]
