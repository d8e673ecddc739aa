"""Pictures with labelled faces: how a run keeps labels, and pictures that are decoded when they are drawn."""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.images import read_image
from facespace.saved_files import write_beside

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Labels:
    """The faces of a picture.

    Attributes:
        boxes_xyxy: float32, shape (N, 4), in pixels.
        landmarks_xy: float32, shape (N, 5, 2); NaN where nobody knows them.
        is_face: bool, shape (N,); false for regions where nothing is trained.
    """

    boxes_xyxy: Floats
    landmarks_xy: Floats
    is_face: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.is_face)

    @classmethod
    def regions(cls, boxes_xyxy: Floats) -> "Labels":
        """Regions (N, 4) where nothing is trained."""
        n = len(boxes_xyxy)
        return cls(boxes_xyxy, np.full((n, 5, 2), np.nan, np.float32), np.zeros(n, np.bool_))

    @classmethod
    def join(cls, parts: "Sequence[Labels]") -> "Labels":
        """The labels of all parts; none of no parts."""
        parts = [cls.regions(np.zeros((0, 4), np.float32)), *parts]
        return cls(
            np.concatenate([part.boxes_xyxy for part in parts]),
            np.concatenate([part.landmarks_xy for part in parts]),
            np.concatenate([part.is_face for part in parts]),
        )


def write_labels(path: Path, labels: Mapping[Path, Labels]) -> None:
    """Keep the labels of pictures, each by its path, in tenths of a pixel."""
    rows = {
        str(picture): np.round(
            np.concatenate([of.is_face[:, None], of.boxes_xyxy, of.landmarks_xy.reshape(-1, 10)], 1), 1
        ).tolist()
        for picture, of in labels.items()
    }
    write_beside(path, json.dumps(rows).encode())


def read_labels(path: Path) -> dict[Path, Labels]:
    """What `write_labels` wrote."""
    found = {}
    for picture, rows in json.loads(path.read_text("utf-8")).items():
        values = np.array(rows, np.float32).reshape(-1, 15)
        found[Path(picture)] = Labels(values[:, 1:5], values[:, 5:].reshape(-1, 5, 2), values[:, 0] > 0)
    return found


class Source(NamedTuple):
    """A picture to cut from, RGB, and its labels."""

    image: Image.Image
    labels: Labels


class Pool:
    """Pictures decoded a few at a time: each stays for several training pictures, since decoding is dear.

    Folders are drawn from by the square root of their size: two events hold four fifths of WIDER FACE's faces.

    Args:
        labels: of each picture.
        size: pictures kept in memory.
        uses: how often one that was decoded is drawn, in the mean.
        whole: keep every picture, decoded once, for many workers to share.
    """

    def __init__(
        self, labels: Mapping[Path, Labels], *, size: int = 240, uses: float = 8.0, whole: bool = False
    ) -> None:
        self.pictures, self.size, self.uses = list(labels.items()), size, uses
        folders = Counter(path.parent.name for path in labels)
        shares = np.array([folders[path.parent.name] ** -0.5 for path in labels])
        self.shares = shares / shares.sum()
        self.kept: list[Source] = []
        self.whole = whole
        if whole:
            with ThreadPoolExecutor(os.cpu_count()) as threads:
                self.kept = list(threads.map(_decoded, *zip(*self.pictures, strict=True)))

    def draw(self, rng: np.random.Generator) -> Source:
        """One of the pictures: a new one while the pool fills, and once in ``uses`` after that."""
        if self.whole:
            return self.kept[self._chosen(rng)]
        if len(self.kept) < min(self.size, 2 * len(self.pictures)):
            self.kept.append(self._read(rng))
            return self.kept[-1]
        slot = int(rng.integers(len(self.kept)))
        if rng.random() < 1 / self.uses:
            self.kept[slot] = self._read(rng)
        return self.kept[slot]

    def _read(self, rng: np.random.Generator) -> Source:
        return _decoded(*self.pictures[self._chosen(rng)])

    def _chosen(self, rng: np.random.Generator) -> int:
        return int(rng.choice(len(self.pictures), p=self.shares))


def _decoded(path: Path, labels: Labels) -> Source:
    return Source(Image.fromarray(read_image(path).pixels), labels)
