"""Pictures on disk, decoded a few at a time: each stays for several training pictures, since decoding is dear."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lab.detector.canvas import FaceSource


@dataclass
class Pool:
    """Sources that are read when they are first drawn.

    Attributes:
        readers: one for each picture.
        shares: how often each is drawn; they add to one.
        size: pictures kept in memory.
        uses: training pictures made of one that was decoded, in the mean.
    """

    readers: Sequence[Callable[[], FaceSource]]
    shares: NDArray[np.float64]
    size: int = 240
    uses: float = 8.0
    kept: list[FaceSource] = field(default_factory=list)

    def draw(self, rng: np.random.Generator) -> FaceSource:
        """One of the sources: a new one while the pool fills, and once in ``uses`` after that."""
        if len(self.kept) < self.size and len(self.kept) < 2 * len(self.readers):
            self.kept.append(self._read(rng))
            return self.kept[-1]
        slot = int(rng.integers(len(self.kept)))
        if rng.random() < 1 / self.uses:
            self.kept[slot] = self._read(rng)
        return self.kept[slot]

    def _read(self, rng: np.random.Generator) -> FaceSource:
        return self.readers[int(rng.choice(len(self.readers), p=self.shares))]()


def open_rgb(path: Path) -> Image.Image:
    """The picture at ``path``, decoded; not copied where it is RGB already."""
    image = Image.open(path)
    image.load()
    return image if image.mode == "RGB" else image.convert("RGB")
