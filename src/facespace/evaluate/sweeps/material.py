"""The pictures that sweeps measure on, opened once: LFW with the face of each picture found, or ready crops."""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from facespace.distances import distance
from facespace.evaluate.holdout import HoldoutFaces, evaluate_holdout, find_crops
from facespace.evaluate.lfw import LfwPairs, check_present, find_face, read_pairs
from facespace.evaluate.sweeps.degrade import jpeg_quality
from facespace.evaluate.sweeps.score import Score
from facespace.evaluate.sweeps.views import AS_IT_IS, FacePlace, View, crop_face, crop_span_px
from facespace.extract import FaceDetector, FaceEmbedder
from facespace.images import read_image
from facespace.metrics import kfold_accuracy, tar_at_far

__all__ = ["HoldoutMaterial", "LfwMaterial", "Material", "embed_views", "open_holdout", "open_lfw"]

LFW_FAR, HOLDOUT_FAR = 1e-2, 1e-3
PICTURES_PER_BATCH = 32
PICTURES_LOOKED_AT = 50

OnPicture = Callable[[int, int], None]
Item = TypeVar("Item")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Material:
    """Pictures of known people.

    Attributes:
        name: for people.
        paths: the pictures, N of them.
        places: where the face is in each.
        own_px: longest side of the pictures (median of some).
        jpeg_quality: how they were compressed last (median of some); None where they are no JPEGs.
        face_px: side of the piece of a picture that an aligned crop shows (median).
        failures: pictures without a detected face, whose place is that of the centre crop.
    """

    name: str
    paths: tuple[Path, ...]
    places: tuple[FacePlace, ...]
    own_px: int
    jpeg_quality: int | None
    face_px: float
    failures: int

    @property
    def n_pairs(self) -> tuple[int, int]:
        """Pairs of one person and of two."""
        raise NotImplementedError

    def score(self, rows: NDArray[np.float32]) -> Score:
        """What unit rows (N, D) of the pictures reach."""
        raise NotImplementedError


@dataclass(frozen=True)
class LfwMaterial(Material):
    """LFW and its listed pairs; ``left`` and ``right`` index ``paths``, shape (P,)."""

    listed: LfwPairs
    left: NDArray[np.int64]
    right: NDArray[np.int64]

    @property
    def n_pairs(self) -> tuple[int, int]:
        """Pairs of one person and of two."""
        return int(self.listed.same.sum()), int((~self.listed.same).sum())

    def distances(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of the listed pairs, shape (P,)."""
        return distance(rows[self.left], rows[self.right])

    def score(self, rows: NDArray[np.float32]) -> Score:
        """Accuracy over folds, and TAR at FAR 1e-2 over all pairs."""
        distances = self.distances(rows)
        folds = kfold_accuracy(distances, self.listed.same, self.listed.folds)
        tar = tar_at_far(distances, self.listed.same, LFW_FAR).tar
        return Score(LFW_FAR, tar, accuracy=folds.mean, accuracy_se=folds.se)


@dataclass(frozen=True)
class HoldoutMaterial(Material):
    """Ready crops `root/<identity>/<image>`; all pairs of them."""

    labels: NDArray[np.int64]
    identities: tuple[str, ...]

    @property
    def n_pairs(self) -> tuple[int, int]:
        """Pairs of one person and of two."""
        sizes = np.bincount(self.labels)
        same, n = int((sizes * (sizes - 1) // 2).sum()), len(self.labels)
        return same, n * (n - 1) // 2 - same

    def every(self, n: int) -> "HoldoutMaterial":
        """About ``n`` of the faces, evenly spaced over all of them."""
        kept = slice(None, None, max(1, len(self.paths) // n))
        return dataclasses.replace(
            self, paths=self.paths[kept], places=self.places[kept], labels=self.labels[kept]
        )

    def faces(self, rows: NDArray[np.float32]) -> HoldoutFaces:
        """The rows with their identities."""
        return HoldoutFaces(rows, self.labels, self.identities)

    def score(self, rows: NDArray[np.float32]) -> Score:
        """TAR at FAR 1e-3 over all pairs and over disjoint splits."""
        tar = evaluate_holdout(self.faces(rows)).tar["1e-3"]
        return Score(HOLDOUT_FAR, tar["all"], tar["mean"], tar["se"])


def open_lfw(
    root: Path,
    detector: FaceDetector | None,
    *,
    pairs: Path | None = None,
    workers: int | None = None,
    on_photo: OnPicture | None = None,
) -> LfwMaterial:
    """Find the face of each picture that LFW's pairs name: the one nearest the centre, or the centre crop's place.

    Args:
        root: folder of `<Name>/<Name>_0001.jpg`.
        detector: finds the faces; None takes the centre crop's place everywhere.
        pairs: pairs file; `root/pairs.txt` when absent.
        workers: threads; all cores when absent.
        on_photo: called with (pictures done, pictures in all).

    Raises:
        DataError: pictures or the pairs file are missing or malformed.
    """
    listed = read_pairs(pairs or root / "pairs.txt")
    names = listed.names
    check_present(root, names)
    paths = tuple(root / name for name in names)
    places, found_all, sides = [], [], []
    for place, found, size_hw in _in_threads(partial(_find, detector=detector), paths, workers, on_photo):
        places.append(place)
        found_all.append(found)
        sides.append(crop_span_px(place, size_hw))
    index = {name: i for i, name in enumerate(names)}
    left, right = (np.array([index[pair[side]] for pair in listed.pairs], np.int64) for side in (0, 1))
    n_folds = len(np.unique(listed.folds))
    return LfwMaterial(
        f"LFW, folds 1 to {n_folds}", paths, tuple(places), _own_px(paths), jpeg_quality(_some(paths)),
        float(np.median(sides)), len(found_all) - sum(found_all), listed, left, right,
    )  # fmt: skip


def open_holdout(root: Path) -> HoldoutMaterial:
    """The crops under `root/<identity>/<image>`, in the order of `embed_holdout`.

    Raises:
        DataError: no such folder, or fewer than two identities in it.
    """
    files = find_crops(root)
    paths = tuple(path for group in files.values() for path in group)
    labels = np.repeat(np.arange(len(files)), [len(group) for group in files.values()]).astype(np.int64)
    own_px = _own_px(paths)
    return HoldoutMaterial(
        f"{root.parent.name}/{root.name}", paths, (FacePlace(),) * len(paths), own_px,
        jpeg_quality(_some(paths)), float(own_px), 0, labels, tuple(files),
    )  # fmt: skip


def embed_views(
    material: Material,
    embedder: FaceEmbedder,
    views: Sequence[View] = (AS_IT_IS,),
    *,
    workers: int | None = None,
    on_photo: OnPicture | None = None,
) -> NDArray[np.float32]:
    """Unit rows of every picture under every view, shape (V, N, D); each picture is read once.

    Raises:
        DataError: a picture cannot be read.
    """
    n = len(material.paths)
    batches = [range(i, min(i + PICTURES_PER_BATCH, n)) for i in range(0, n, PICTURES_PER_BATCH)]
    embed = partial(_embed_batch, material=material, embedder=embedder, views=views)
    follow = (lambda done, _: on_photo(min(done * PICTURES_PER_BATCH, n), n)) if on_photo else None
    return np.concatenate(list(_in_threads(embed, batches, workers, follow)), axis=1)


def _embed_batch(
    batch: range, *, material: Material, embedder: FaceEmbedder, views: Sequence[View]
) -> NDArray[np.float32]:
    images = [read_image(material.paths[i]).pixels for i in batch]
    rows = []
    for view in views:
        crops = [
            crop_face(image, material.places[i], view, embedder.spec)
            for i, image in zip(batch, images, strict=True)
        ]
        rows.append(embedder.embed(np.stack(crops)))
    return np.stack(rows)


def _in_threads(
    make: Callable[[Item], Made], items: Sequence[Item], workers: int | None, follow: OnPicture | None
) -> Iterator[Made]:
    """``make`` of each item in order; what has not begun is dropped when the consumer stops."""
    pool = ThreadPoolExecutor(workers or os.cpu_count())
    try:
        for done, made in enumerate(pool.map(make, items), 1):
            yield made
            if follow:
                follow(done, len(items))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _find(path: Path, *, detector: FaceDetector | None) -> tuple[FacePlace, bool, tuple[int, ...]]:
    image = read_image(path).pixels
    box, landmarks, found = find_face(image, detector)
    return FacePlace(box, landmarks), found or detector is None, image.shape


def _some(paths: Sequence[Path]) -> list[Path]:
    return list(paths[:: max(1, len(paths) // PICTURES_LOOKED_AT)])


def _own_px(paths: Sequence[Path]) -> int:
    return int(np.median([max(read_image(path).pixels.shape[:2]) for path in _some(paths)]))
