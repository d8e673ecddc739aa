"""The paper's hold-out and personal-photos protocols (section 4), and thresholds from a hold-out set.

Hold-out: VAL at FAR over half of each disjoint split against its other half, mean and standard error over the splits.
Personal photos: all pairs of each collection.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError, InputError
from facespace.evaluate.defaults import N_SPLITS
from facespace.extract import CROPS_PER_BATCH, FaceEmbedder, extract_crops
from facespace.measure.faces import EmbeddedFaces as HoldoutFaces
from facespace.metrics import Interval, OperatingPoint, PairCounts
from facespace.metrics.all_pairs import count_sorted, exact_points
from facespace.metrics.pair_blocks import sort_pairs
from facespace.metrics.tar_intervals import tar_interval
from facespace.models import FARS, VERIFY_FAR, ModelSpec, far_key, write_spec

__all__ = [
    "HoldoutFaces",
    "HoldoutResult",
    "PhotosResult",
    "calibrate",
    "embed_holdout",
    "evaluate_holdout",
    "evaluate_photos",
    "find_crops",
    "with_tar",
]

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
# Up to here a second pass makes each figure exact to the pair; beyond, the grid's bound is far below a pair in 10,000.
EXACT_PAIRS = 2_000_000_000
# Beyond this the hold-out figure over all pairs at once is left out: the splits say it at a fraction of the time.
ALL_PAIRS = 10_000_000_000
# Draws of identities for an interval look at each of the nearest pairs; splits serve larger sets.
INTERVAL_FACES = 20_000


@dataclass(frozen=True)
class HoldoutResult:
    """TAR (VAL) at each FAR.

    Attributes:
        tar: at each FAR the mean and standard error over disjoint splits of the identities, half of each split
            against its other half ("mean", "se"), and the figure over all pairs i < j ("all"); None where the pairs
            do not support the FAR.
        threshold: the distance of each FAR over all pairs, else None.
        n_same: pairs of one person, of all pairs.
        n_diff: pairs of two persons, likewise.
        n_faces: faces.
        n_identities: identities.
        n_splits: disjoint splits behind mean and se.
        interval: of each "all", over draws of identities; None where it is not given.
        tar_high: the most that each "all" can be; the same where it is exact to the pair.
        split_pairs: pairs of one and of two persons in all the splits.
        note: what was left out, else None.
    """

    tar: dict[str, dict[str, float | None]]
    threshold: dict[str, float | None]
    n_same: int
    n_diff: int
    n_faces: int
    n_identities: int
    n_splits: int
    interval: dict[str, Interval | None] = dataclasses.field(default_factory=dict)
    tar_high: dict[str, float | None] = dataclasses.field(default_factory=dict)
    split_pairs: tuple[int, int] = (0, 0)
    note: str | None = None


@dataclass(frozen=True)
class PhotosResult:
    """TAR (VAL) at each FAR over all pairs of personal photo collections.

    Attributes:
        tar: at each FAR the mean over the collections and its standard error ("mean", "se").
        collections: each collection's figures by its name, as `HoldoutResult` without splits.
    """

    tar: dict[str, dict[str, float | None]]
    collections: dict[str, HoldoutResult]


def find_crops(root: Path) -> dict[str, list[Path]]:
    """The pictures of each identity in `root/<identity>/<image>`, by name; identities without any are left out.

    Raises:
        DataError: no such folder, or fewer than two identities in it.
    """
    folders = sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
    files = {d.name: sorted(f for f in d.iterdir() if f.suffix.lower() in SUFFIXES) for d in folders}
    files = {name: paths for name, paths in files.items() if paths}
    if len(files) < 2:
        raise DataError(f"{root}: expected folders <identity>/<image>, met {len(files)} identities")
    return files


def embed_holdout(
    root: Path, embedder: FaceEmbedder, *, on_face: Callable[[int, int], None] | None = None
) -> HoldoutFaces:
    """Embed every picture of `root/<identity>/<image>`; ``on_face(done, in all)`` follows along.

    Raises:
        DataError: no such folder, or fewer than two identities in it.
        ImageError: a picture cannot be read.
    """
    files = find_crops(root)
    paths = [path for group in files.values() for path in group]
    rows, batch = [], []
    for done, (_, _, crop) in enumerate(extract_crops(paths, embedder), 1):
        batch.append(crop)
        if len(batch) == CROPS_PER_BATCH or done == len(paths):
            rows.append(embedder.embed(np.stack(batch)))
            batch = []
            if on_face:
                on_face(done, len(paths))
    labels = np.repeat(np.arange(len(files)), [len(group) for group in files.values()])
    return HoldoutFaces(np.concatenate(rows), labels.astype(np.int64), tuple(files))


def evaluate_holdout(
    faces: HoldoutFaces, *, n_splits: int = N_SPLITS, intervals: bool = False
) -> HoldoutResult:
    """TAR at FAR 1e-2 to 1e-6, half against half of disjoint splits of the identities, and over all pairs i < j.

    Identities are dealt to the splits in order of their names, and the faces of each alternately to the two halves, so
    that both are the same for every model.

    Args:
        faces: of people that the model was not trained on.
        n_splits: at most half the number of identities.
        intervals: draw identities for intervals of the figures over all pairs.

    Raises:
        InputError: fewer than one split, or rows that are not of unit length.
    """
    if n_splits < 1:
        raise InputError(f"n_splits: expected 1 or more, got {n_splits}")
    n_splits = min(n_splits, max(1, len(faces.identities) // 2))
    half = _alternate(faces.labels)
    splits = [_halves(faces, half, faces.labels % n_splits == k) for k in range(n_splits)]
    whole = _whole(faces, intervals=intervals, most=ALL_PAIRS)
    tar = {}
    for i, far in enumerate(FARS):
        mean, se = _mean_and_se([points[i].tar for points in splits])
        tar[far_key(far)] = {"mean": mean, "se": se, "all": whole.tar[far_key(far)]["all"]}
    pairs = sum(points[0].n_same for points in splits), sum(points[0].n_diff for points in splits)
    return dataclasses.replace(whole, tar=tar, n_splits=n_splits, split_pairs=pairs)


def evaluate_photos(collections: dict[str, HoldoutFaces], *, intervals: bool = False) -> PhotosResult:
    """TAR at FAR 1e-2 to 1e-6 over all pairs i < j of each collection; mean and standard error over them.

    Raises:
        InputError: no collection, or rows that are not of unit length.
    """
    if not collections:
        raise InputError("expected at least one collection of photos")
    results = {name: _whole(faces, intervals=intervals, most=None) for name, faces in collections.items()}
    tar = {}
    for key in map(far_key, FARS):
        mean, se = _mean_and_se([result.tar[key]["all"] for result in results.values()])
        tar[key] = {"mean": mean, "se": se}
    return PhotosResult(tar, results)


def calibrate(model: Path, spec: ModelSpec, faces: HoldoutFaces, *, source: str) -> ModelSpec:
    """Write the distance at each FAR that the pairs support, and the TAR, into the model's own file.

    Returns:
        The spec that was written.

    Args:
        model: the ONNX file.
        spec: its spec so far.
        faces: embedded by this model; of people that it was not trained on.
        source: what the faces are, for the spec.
    """
    result = evaluate_holdout(faces)
    calibration = f"{source}: {result.n_same} same and {result.n_diff} different pairs"
    distances = {key: None if d is None else round(d, 5) for key, d in result.threshold.items()}
    spec = dataclasses.replace(spec, distances=distances, calibration=calibration)
    return write_spec(model, with_tar(spec, result.tar[far_key(VERIFY_FAR)]["all"]))


def with_tar(spec: ModelSpec, tar: float | None, *, mixed: str | None = None) -> ModelSpec:
    """The spec with the TAR at VERIFY_FAR over all pairs, by which an upgrade says what it is worth.

    Args:
        spec: so far.
        tar: of comparing the model's own embeddings; None where the pairs do not support the rate.
        mixed: sha256 of another model: the TAR is that of comparing with its embeddings.
    """
    options = {**spec.options, "far": VERIFY_FAR}
    if mixed is not None:
        options["tar_mixed"] = {**options.get("tar_mixed", {}), mixed: tar}
    else:
        options["tar"] = tar
    return dataclasses.replace(spec, options=options)


def _whole(faces: HoldoutFaces, *, intervals: bool, most: int | None) -> HoldoutResult:
    """The figures over all pairs i < j; none of them where these are more than ``most``."""
    n, sizes = len(faces.labels), np.bincount(faces.labels)
    n_same = int((sizes * (sizes - 1) // 2).sum())
    n_diff = n * (n - 1) // 2 - n_same
    if most is not None and n_same + n_diff > most:
        reason = f"{n_same + n_diff:,} pairs in all: only the splits were measured"
        points = [OperatingPoint(far, None, None, None, n_same, n_diff, reason) for far in FARS]
    else:
        reason, points = None, _points(faces.embeddings, faces.labels)
    drawn = intervals and n <= INTERVAL_FACES
    return HoldoutResult(
        {far_key(p.far): {"all": p.tar} for p in points},
        {far_key(p.far): p.threshold for p in points},
        n_same,
        n_diff,
        n,
        len(faces.identities),
        0,
        {
            far_key(p.far): tar_interval(faces.embeddings, faces.labels, far=p.far) if drawn else None
            for p in points
        },
        {far_key(p.far): p.tar_high for p in points},
        note=reason,
    )


def _alternate(labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Every other face of each identity, shape (N,)."""
    order = np.argsort(labels, kind="stable")
    place = np.empty(len(labels), np.int64)
    place[order] = np.arange(len(labels))
    _, first, member = np.unique(labels[order], return_index=True, return_inverse=True)
    of_identity = np.empty(len(labels), np.int64)
    of_identity[order] = first[member]
    return (place - of_identity) % 2 == 1


def _halves(faces: HoldoutFaces, half: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> list[OperatingPoint]:
    one, other = chosen & ~half, chosen & half
    rows, labels = faces.embeddings, faces.labels
    return _points(rows[one], labels[one], rows[other], labels[other])


def _points(
    rows: NDArray[np.float32],
    labels: NDArray[np.int64],
    other: NDArray[np.float32] | None = None,
    other_labels: NDArray[np.int64] | None = None,
) -> list[OperatingPoint]:
    """TAR at each FAR, exact to the pair where the pairs are not too many."""
    pairs = sort_pairs(rows, labels, other, other_labels)
    counts: PairCounts = count_sorted(pairs)
    if counts.n_same + counts.n_diff <= EXACT_PAIRS:
        return exact_points(pairs, counts, FARS)
    return [counts.tar_at_far(far) for far in FARS]


def _mean_and_se(values: list[float | None]) -> tuple[float | None, float | None]:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None, None
    se = float(np.std(known, ddof=1) / np.sqrt(len(known))) if len(known) > 1 else None
    return float(np.mean(known)), se
