"""Labeled Faces in the Wild (paper, section 5.6): 1:1 accuracy over folds, on whole pictures.

Protocol: Huang et al. 2007, "unrestricted, labeled outside data": the threshold is chosen on the other folds.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.distances import distance
from facespace.errors import DataError, ImageError, InputError
from facespace.extract import FaceDetector, FaceEmbedder
from facespace.faces.align import crop_faces
from facespace.faces.detections import Detections
from facespace.images import read_image
from facespace.metrics import auc, eer, kfold_accuracy, kfold_tar, tar_at_far
from facespace.models import far_key

__all__ = [
    "LfwPairs",
    "LfwResult",
    "PairDistances",
    "check_folds",
    "check_present",
    "crop_face",
    "evaluate_lfw",
    "find_face",
    "measure_lfw",
    "read_pairs",
    "score_pairs",
]

FARS = (1e-1, 1e-2, 1e-3)
STANDARD_FOLDS = 10
# Median landmarks of the deep-funnelled 250x250 pictures, as a detector sees them: the fixed crop of the
# centre mode puts these on the template, for all pictures alike.
CENTRE_LANDMARKS_XY = np.array(
    [[103.6, 112.9], [146.7, 112.3], [126.0, 137.6], [107.2, 157.4], [145.0, 156.8]], np.float32
)


@dataclass(frozen=True)
class LfwPairs:
    """A parsed pairs.txt.

    Attributes:
        pairs: file names of both pictures, relative to the folder.
        same: shape (P,), True for pairs of one person.
        folds: shape (P,), 0 .. n_folds - 1.
    """

    pairs: tuple[tuple[str, str], ...]
    same: NDArray[np.bool_]
    folds: NDArray[np.int64]

    @property
    def names(self) -> list[str]:
        """All pictures, each once, in order of first use."""
        return list(dict.fromkeys(name for pair in self.pairs for name in pair))


@dataclass(frozen=True)
class PairDistances:
    """What a model makes of listed pairs.

    Attributes:
        listed: the pairs.
        distance: float32, shape (P,).
        failures: pictures (or videos) without a detected face, which were cropped at the centre.
        mode: "detector" or "centre".
    """

    listed: LfwPairs
    distance: NDArray[np.float32]
    failures: int
    mode: str

    def right(self) -> NDArray[np.bool_]:
        """Which pairs are decided rightly, shape (P,), each at the threshold of the other folds."""
        thresholds = kfold_accuracy(self.distance, self.listed.same, self.listed.folds).thresholds
        of_pair = np.array(thresholds)[np.unique(self.listed.folds, return_inverse=True)[1]]
        return (self.distance <= of_pair) == self.listed.same


@dataclass(frozen=True)
class LfwResult:
    """LFW figures; see `lines` for the form that facenet's users know.

    Attributes:
        accuracy_mean: mean accuracy of the folds.
        accuracy_se: standard error of that mean.
        thresholds: the distance chosen on the other folds, one a fold.
        auc: area under the ROC of all pairs.
        eer: equal error rate of all pairs.
        tar: TAR at each FAR that the pairs support, else None.
        n_same: pairs of one person.
        n_diff: pairs of two persons.
        detector_failures: pictures without a detected face, which were cropped at the centre.
        mode: "detector" or "centre".
        n_folds: how many folds; with other than ten the figure is not the standard one.
        note: says so, or that folds are of unequal size, else None.
        n_false_accepts: pairs of two persons taken for one, each at the threshold of its fold.
        n_false_rejects: pairs of one person taken for two, likewise.
        tar_folds: at each FAR the mean and standard error over folds of TAR ("mean", "se"), each at the distance of the
            other folds; None where these do not support the FAR.
    """

    accuracy_mean: float
    accuracy_se: float
    thresholds: tuple[float, ...]
    auc: float
    eer: float
    tar: dict[str, float | None]
    n_same: int
    n_diff: int
    detector_failures: int
    mode: str
    n_folds: int
    note: str | None
    n_false_accepts: int = 0
    n_false_rejects: int = 0
    tar_folds: dict[str, dict[str, float] | None] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """The figures as text."""
        lines = [f"Accuracy: {self.accuracy_mean:.5f}+-{self.accuracy_se:.5f}"]
        for far, tar in self.tar_folds.items():
            if tar is not None:
                lines.append(f"Validation rate: {tar['mean']:.5f}+-{tar['se']:.5f} @ FAR={far}")
        lines += [f"Area Under Curve (AUC): {self.auc:.5f}", f"Equal Error Rate (EER): {self.eer:.5f}"]
        return [*lines, f"Note: {self.note}"] if self.note else lines


def read_pairs(path: Path) -> LfwPairs:
    """Parse a pairs.txt: "folds n" (or "n"), then for each fold n same lines and n different lines.

    Raises:
        DataError: no such file, or lines that do not fit its header.
    """
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise DataError(f"{path}: expected LFW's pairs.txt, cannot read it: {error.strerror}") from error
    try:
        header = [int(field) for field in lines[0]]
        n_folds, n_each = header if len(header) == 2 else (1, *header)
    except (IndexError, ValueError) as error:
        raise DataError(f"{path}: expected a first line 'folds pairs' or 'pairs'") from error
    body = lines[1:]
    if len(body) != 2 * n_folds * n_each:
        raise DataError(f"{path}: expected {2 * n_folds * n_each} pairs by its header, met {len(body)}")
    pairs, same = zip(*(_pair(fields, path) for fields in body), strict=True) if body else ((), ())
    return LfwPairs(tuple(pairs), np.array(same, bool), np.arange(len(body)) // (2 * n_each))


def evaluate_lfw(
    root: Path,
    embedder: FaceEmbedder,
    detector: FaceDetector | None = None,
    *,
    pairs: Path | None = None,
    flip: bool = False,
    workers: int | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> LfwResult:
    """Accuracy on LFW.

    Args:
        root: folder of `<Name>/<Name>_0001.jpg`.
        embedder: the model to judge.
        detector: of several faces the one nearest the centre counts, and a picture without any is cropped at
            the centre; None crops all pictures at the centre.
        pairs: pairs file; `root/pairs.txt` when absent.
        flip: also embed mirror images; twice the time.
        workers: threads; all cores when absent.
        on_photo: called with (pictures done, pictures in all).

    Raises:
        DataError: pictures or the pairs file are missing or malformed.
    """
    return score_pairs(
        measure_lfw(root, embedder, detector, pairs=pairs, flip=flip, workers=workers, on_photo=on_photo)
    )


def measure_lfw(
    root: Path,
    embedder: FaceEmbedder,
    detector: FaceDetector | None = None,
    *,
    pairs: Path | None = None,
    flip: bool = False,
    workers: int | None = None,
    on_photo: Callable[[int, int], None] | None = None,
) -> PairDistances:
    """The distance of every pair; arguments and errors as for `evaluate_lfw`."""
    listed = read_pairs(pairs or root / "pairs.txt")
    check_folds(listed, pairs or root / "pairs.txt")
    names = listed.names
    check_present(root, names)
    rows, failures = _embed(root, names, embedder, detector, flip=flip, workers=workers, on_photo=on_photo)
    index = {name: i for i, name in enumerate(names)}
    left, right = ([index[pair[side]] for pair in listed.pairs] for side in (0, 1))
    mode = "detector" if detector else "centre"
    return PairDistances(listed, distance(rows[left], rows[right]), failures, mode)


def check_folds(listed: LfwPairs, path: Path) -> None:
    """Refuse what no accuracy by folds can come from, before any picture is read.

    Raises:
        DataError: fewer than two folds, or pairs of one kind only.
    """
    if len(np.unique(listed.folds)) < 2:
        raise DataError(f"{path}: expected at least two folds, since each threshold comes from the others")
    if listed.same.all() or not listed.same.any():
        raise DataError(f"{path}: expected pairs of one person and of two, met one kind only")


def score_pairs(measured: PairDistances) -> LfwResult:
    """The figures of measured pairs.

    Raises:
        InputError: distances that are not finite.
    """
    listed, distances = measured.listed, measured.distance
    folds = kfold_accuracy(distances, listed.same, listed.folds)
    n_folds, wrong = len(folds.accuracies), ~measured.right()
    tar = {far_key(far): tar_at_far(distances, listed.same, far).tar for far in FARS}
    over_folds = {far_key(far): kfold_tar(distances, listed.same, listed.folds, far) for far in FARS}
    return LfwResult(
        folds.mean,
        folds.se,
        folds.thresholds,
        auc(distances, listed.same),
        eer(distances, listed.same)[0],
        tar,
        int(listed.same.sum()),
        int((~listed.same).sum()),
        measured.failures,
        measured.mode,
        n_folds,
        _note(listed, n_folds),
        int((wrong & ~listed.same).sum()),
        int((wrong & listed.same).sum()),
        {key: None if v is None else {"mean": v[0], "se": v[1]} for key, v in over_folds.items()},
    )


def _note(listed: LfwPairs, n_folds: int) -> str | None:
    sizes = np.unique(np.bincount(listed.folds))
    if n_folds != STANDARD_FOLDS:
        return f"{n_folds} folds; the standard figure has {STANDARD_FOLDS}, so this is not it"
    if len(sizes) > 1:
        return f"folds of {sizes[0]} to {sizes[-1]} pairs; the standard ones are of equal size, so this is not it"
    return None


def _pair(fields: Sequence[str], path: Path) -> tuple[tuple[str, str], bool]:
    try:
        if len(fields) == 3:
            name, first, second = fields
            return (_picture(name, first), _picture(name, second)), True
        name, first, other, second = fields
        return (_picture(name, first), _picture(other, second)), False
    except ValueError as error:
        raise DataError(
            f"{path}: expected 'name n m' or 'name n name m', met '{' '.join(fields)}'"
        ) from error


def _picture(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}.jpg"


def check_present(root: Path, names: Iterable[str]) -> None:
    """Refuse a pairs file some of whose pictures are missing.

    Raises:
        DataError: names the first of them, and how many more there are.
    """
    missing = [name for name in names if not (root / name).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(f"{root}: pictures named in the pairs file are missing: {missing[0]}{more}")


def _embed(
    root: Path,
    names: Sequence[str],
    embedder: FaceEmbedder,
    detector: FaceDetector | None,
    *,
    flip: bool,
    workers: int | None,
    on_photo: Callable[[int, int], None] | None,
) -> tuple[NDArray[np.float32], int]:
    """Embeddings of all pictures in order, and how many of them had no detected face."""
    if embedder.spec.alignment == "tight" and detector is None:
        raise InputError("the centre crop stands for aligned faces; a model of tight crops needs a detector")
    rows, failures = [], 0
    crop = partial(_embed_picture, detector=detector, embedder=embedder, flip=flip)
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        for done, (row, failed) in enumerate(pool.map(crop, (root / name for name in names)), 1):
            rows.append(row)
            failures += failed
            if on_photo:
                on_photo(done, len(names))
    return np.stack(rows), failures


def _embed_picture(
    path: Path, *, detector: FaceDetector | None, embedder: FaceEmbedder, flip: bool
) -> tuple[NDArray[np.float32], bool]:
    try:
        image = read_image(path).pixels
    except ImageError as error:
        raise DataError(str(error)) from error
    crops, found = crop_face(image, detector, embedder)
    rows = embedder.embed(np.concatenate([crops, crops[:, :, ::-1]]) if flip else crops)
    mean = rows.mean(0)
    return mean / np.linalg.norm(mean), detector is not None and not found


def crop_face(
    image: NDArray[np.uint8], detector: FaceDetector | None, embedder: FaceEmbedder
) -> tuple[NDArray[np.uint8], bool]:
    """The crop, shape (1, H, W, 3), of the face nearest the centre, else of the centre; and whether one was found."""
    box, landmarks, found = find_face(image, detector)
    return crop_faces(image, box[None], landmarks[None], embedder.spec), found


def find_face(
    image: NDArray[np.uint8], detector: FaceDetector | None
) -> tuple[NDArray[np.float32], NDArray[np.float32], bool]:
    """Box (4,) and landmarks (5, 2) of the face nearest the centre, else of the centre crop; whether there was one."""
    found = Detections.empty() if detector is None else detector.detect(image)
    if len(found):
        nearest = _nearest_to_centre(found.boxes_xyxy, image.shape[:2])
        return found.boxes_xyxy[nearest], found.landmarks_xy[nearest], True
    landmarks = _centre_landmarks(image)
    return np.concatenate([landmarks.min(0), landmarks.max(0)]), landmarks, False


def _centre_landmarks(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """LFW's, scaled to the square in the middle of the picture."""
    height, width = image.shape[:2]
    side = min(height, width)
    corner = np.array([(width - side) / 2, (height - side) / 2])
    return np.asarray(CENTRE_LANDMARKS_XY * (side / 250.0) + corner, np.float32)


def _nearest_to_centre(boxes_xyxy: NDArray[np.float32], size_hw: tuple[int, ...]) -> int:
    """LFW names the person in the middle of the picture, who is not always the largest."""
    centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2.0
    middle = np.array([(size_hw[1] - 1) / 2.0, (size_hw[0] - 1) / 2.0])
    return int(((centres - middle) ** 2).sum(1).argmin())
