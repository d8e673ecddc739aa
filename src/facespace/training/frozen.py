"""Models that exist already and do not change: a teacher, an older version. Each is asked about a face once."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.models import ModelSpec
from facespace.training.data import Faces

__all__ = ["FrozenModel", "ask", "digest_of", "resized"]

CHUNK = 256


class FrozenModel(Protocol):
    """An embedder that may be called from several threads, such as `facespace.embed.Embedder`."""

    spec: ModelSpec

    def embed(self, crops: NDArray[np.uint8], *, flip: bool = False) -> NDArray[np.float32]:
        """Unit rows (N, D) of uint8 crops (N, H, W, 3)."""


def ask(
    model: FrozenModel,
    crops: Callable[[NDArray[np.int64]], NDArray[np.uint8]],
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
    """Names what ``model`` says of ``faces``: by its weights, the faces' pixels in order, and what else there is.

    Names of files do not count, since a picture that was replaced under its name has another answer.
    """
    digest = hashlib.sha256(f"{model.spec.sha256} {len(faces)} {options}".encode())
    for start in range(0, len(faces), CHUNK):
        digest.update(faces.crops(np.arange(start, min(start + CHUNK, len(faces)))).tobytes())
    return digest.hexdigest()[:16]
