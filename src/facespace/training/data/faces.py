"""Training faces as arrays: decoded once where they fit in memory, else when a batch asks for them."""

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from facespace.errors import DataError
from facespace.training.data.pictures import Pictures, find_pictures

LEAST_DEV_FACES = 5

Item = TypeVar("Item")
Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Faces:
    """Aligned faces and who they show.

    Attributes:
        labels: int64, shape (N,), an index into ``identities``.
        identities: names, sorted.
        size_hw: rows and columns of every crop.
        read: pictures (k,) of M -> uint8 RGB (k, H, W, 3), from memory or decoded now.
        rows: int64, shape (N,): which of the M pictures each face is.
    """

    labels: NDArray[np.int64]
    identities: tuple[str, ...]
    size_hw: tuple[int, int]
    read: Callable[[NDArray[np.int64]], NDArray[np.uint8]]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of_arrays(cls, crops: NDArray[np.uint8], labels: NDArray[np.int64]) -> "Faces":
        """Faces already in memory: uint8 RGB (N, H, W, 3) and int64 (N,)."""
        n = int(labels.max(initial=-1)) + 1
        height, width = crops.shape[1:3]
        return cls(
            labels, tuple(map(str, range(n))), (height, width), crops.__getitem__, np.arange(len(labels))
        )

    def crops(self, face_idx: NDArray[np.int64]) -> NDArray[np.uint8]:
        """uint8 RGB crops, shape (len(face_idx), H, W, 3).

        Raises:
            DataError: a picture that cannot be decoded, by its name.
        """
        return self.read(self.rows[face_idx])

    def decoded(self, cache_bytes: int) -> "Faces":
        """The same, decoded into memory where that takes up to ``cache_bytes``.

        Raises:
            DataError: a picture that cannot be decoded, by its name.
        """
        if len(self) * self.size_hw[0] * self.size_hw[1] * 3 > cache_bytes:
            return self
        every = np.arange(len(self))
        return replace(self, read=self.crops(every).__getitem__, rows=every)

    def split(self, every: int) -> tuple["Faces", "Faces"]:
        """(training, dev): identities of five faces or more whose name's hash is a multiple of ``every`` are dev.

        The hash is of the name alone, so that an identity stays on its side when others come or go.

        Raises:
            DataError: a side without two identities.
        """
        counts = np.bincount(self.labels, minlength=len(self.identities))
        dev = np.array([_hash(name) % every == 0 for name in self.identities]) & (counts >= LEAST_DEV_FACES)
        if min(dev.sum(), (~dev).sum()) < 2:
            raise DataError(
                f"dev_every = {every}: expected two identities or more on each side, got {dev.sum()} for dev of "
                f"{len(dev)}; choose another number, or 0 for no dev set"
            )
        return self._only(~dev), self._only(dev)

    def of_several(self, least: int) -> "Faces":
        """The identities that have ``least`` faces or more.

        Raises:
            DataError: fewer than two of them.
        """
        kept = np.bincount(self.labels, minlength=len(self.identities)) >= least
        if kept.sum() < 2:
            raise DataError(
                f"least_faces = {least}: expected two identities or more with so many faces, got {kept.sum()} of "
                f"{len(kept)}; lower it"
            )
        return self._only(kept)

    def _only(self, kept: NDArray[np.bool_]) -> "Faces":
        new_label = np.cumsum(kept) - 1
        faces = kept[self.labels]
        names = tuple(name for name, keep in zip(self.identities, kept, strict=True) if keep)
        labels = new_label[self.labels[faces]].astype(np.int64)
        return replace(self, labels=labels, identities=names, rows=self.rows[faces])


def open_faces(source: Path, *, size_hw: tuple[int, int] = (112, 112)) -> Faces:
    """The faces of a source (see `find_pictures`), each decoded when it is asked for; see `Faces.decoded`.

    Pictures are given at ``size_hw``, or at their own size where the first one is smaller: what is missing is made up
    when they are augmented, and memory is not spent on it.

    Raises:
        DataError: no pictures there, or the first one cannot be decoded.
    """
    pictures = find_pictures(source)
    height, width = _decode(pictures, 0, None).shape[:2]
    size_hw = (min(size_hw[0], height), min(size_hw[1], width))
    read = partial(_decode_all, pictures, size_hw)
    return Faces(pictures.labels, pictures.identities, size_hw, read, np.arange(len(pictures)))


def prefetched(items: Iterable[Item], load: Callable[[Item], Loaded]) -> Iterator[tuple[Item, Loaded]]:
    """Each item with what ``load`` makes of it, the next one loaded while the last is in use."""
    ahead: tuple[Item, Future[Loaded]] | None = None
    with ThreadPoolExecutor(1) as reader:
        for item in items:
            ready, ahead = ahead, (item, reader.submit(load, item))
            if ready:
                yield ready[0], ready[1].result()
        if ahead:
            yield ahead[0], ahead[1].result()


def _decode_all(pictures: Pictures, size_hw: tuple[int, int], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    crops = np.empty((len(rows), *size_hw, 3), np.uint8)

    def put(place: int) -> None:
        crops[place] = _decode(pictures, int(rows[place]), size_hw)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for _ in pool.map(put, range(len(rows))):
            pass
    return crops


def _decode(pictures: Pictures, row: int, size_hw: tuple[int, int] | None) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(pictures.readers[row]())) as image:
            upright = image.convert("RGB")
            if size_hw and upright.size[::-1] != size_hw:
                upright = upright.resize(size_hw[::-1], Image.Resampling.BILINEAR)
            return np.asarray(upright)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{pictures.names[row]}: expected a picture, it cannot be decoded: {error}"
        ) from error


def _hash(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
