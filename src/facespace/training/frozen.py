"""Models that do not change during a run: a teacher, an older version. Each embeds a picture once."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Protocol, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.models import ModelSpec
from facespace.saved_files import written_beside
from facespace.training.data import Faces
from facespace.workers import Workers, as_workers

CHUNK = 256
# Pictures that a worker gets at a time, and those after which a stop loses nothing.
ITEM, PART = 32, 4096

Crops = Callable[[NDArray[np.int64]], NDArray[np.uint8]]  # indices (k,) -> RGB (k, H, W, 3)


class FrozenModel(Protocol):
    """An embedder that may be called from several threads, such as `facespace.embed.Embedder`."""

    spec: ModelSpec

    def embed(self, crops: NDArray[np.uint8], *, flip: bool = False) -> NDArray[np.float32]:
        """Unit rows (N, D) of uint8 crops (N, H, W, 3)."""


def ask_once(
    path: Path,
    model: FrozenModel,
    crops: Crops,
    n: int,
    *,
    flip: bool,
    on_done: Callable[[int], None] = lambda done: None,
    workers: Workers | None = None,
) -> NDArray[np.float32]:
    """Unit rows (n, D) of n pictures, kept at ``path`` for later runs.

    A run that is stopped leaves parts in a folder beside it, and the next one asks for the rest.

    Args:
        path: its name must identify model and pictures.
        model: of any input size; pictures of another are resized.
        crops: indices (k,) -> uint8 RGB (k, H, W, 3).
        n: pictures.
        flip: add the mirror image's embedding to each.
        on_done: called with how many are done.
        workers: who embeds; all cores of this machine when None. Pictures are read here and sent to others.
    """
    if path.is_file():
        kept: NDArray[np.float32] = np.load(path, allow_pickle=False)
        return kept
    parts, rows = path.with_suffix(".parts"), np.empty((n, model.spec.dim), np.float32)
    missing = []
    for start in range(0, n, PART):
        try:
            rows[start : start + PART] = np.load(parts / f"{start}.npy", allow_pickle=False)
        except (OSError, ValueError):
            missing.append(start)
    done = n - sum(min(PART, n - start) for start in missing)
    items = [
        np.arange(i, min(i + ITEM, n)) for start in missing for i in range(start, min(start + PART, n), ITEM)
    ]
    found = as_workers(workers).map(_Embed(model, flip), _Pictures(crops, items))
    with closing(found):
        for item, part in zip(items, found, strict=True):
            rows[item] = part
            done, end = done + len(item), int(item[-1]) + 1
            on_done(done)
            if end == n or end % PART == 0:
                keep_rows(parts / f"{(end - 1) // PART * PART}.npy", rows[(end - 1) // PART * PART : end])
    keep_rows(path, rows)
    rmtree(parts, ignore_errors=True)
    return rows


@dataclass(frozen=True)
class _Embed:
    """What a worker does."""

    model: FrozenModel
    flip: bool

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.model.embed(resized(crops, self.model.spec.input_hw), flip=self.flip)


@dataclass(frozen=True)
class _Pictures(Sequence[NDArray[np.uint8]]):
    """The pictures of each item, read when it is taken."""

    crops: Crops
    items: Sequence[NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, which: int) -> NDArray[np.uint8]: ...
    @overload
    def __getitem__(self, which: slice) -> list[NDArray[np.uint8]]: ...
    def __getitem__(self, which: int | slice) -> NDArray[np.uint8] | list[NDArray[np.uint8]]:
        return (
            [self.crops(i) for i in self.items[which]]
            if isinstance(which, slice)
            else self.crops(self.items[which])
        )


def keep_rows(path: Path, rows: NDArray[np.float32]) -> None:
    """Write rows beside and rename them, so that a file is always whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_beside(path) as partial, partial.open("wb") as file:
        np.save(file, rows)


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
