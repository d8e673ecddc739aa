"""VAL at FAR over all pairs of a hold-out set of ready crops (paper, section 4), and thresholds from it."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError
from facespace.extract import CROPS_PER_BATCH, FaceEmbedder, extract_crops
from facespace.metrics import OperatingPoint, count_pairs
from facespace.models import FARS, ModelSpec, far_key, write_spec

__all__ = ["HoldoutFaces", "HoldoutResult", "calibrate", "embed_holdout", "evaluate_holdout"]

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
N_SPLITS = 5


@dataclass(frozen=True)
class HoldoutFaces:
    """Embeddings of `root/<identity>/<image>`.

    Attributes:
        embeddings: unit rows, shape (N, D).
        labels: shape (N,), an index into ``identities``.
        identities: folder names, sorted.
    """

    embeddings: NDArray[np.float32]
    labels: NDArray[np.int64]
    identities: tuple[str, ...]


@dataclass(frozen=True)
class HoldoutResult:
    """TAR (VAL) at each FAR.

    Attributes:
        tar: at each FAR the figure over all pairs ("all"), and the mean and standard error over disjoint
            splits of the identities; None where the pairs do not support the FAR.
        threshold: the distance of each FAR over all pairs, else None.
        n_same: pairs of one person.
        n_diff: pairs of two persons.
        n_faces: faces.
        n_identities: identities.
        n_splits: disjoint splits behind mean and se.
    """

    tar: dict[str, dict[str, float | None]]
    threshold: dict[str, float | None]
    n_same: int
    n_diff: int
    n_faces: int
    n_identities: int
    n_splits: int


def embed_holdout(
    root: Path, embedder: FaceEmbedder, *, on_face: Callable[[int, int], None] | None = None
) -> HoldoutFaces:
    """Embed every picture of `root/<identity>/<image>`; ``on_face(done, in all)`` follows along.

    Raises:
        DataError: no such folder, or fewer than two identities in it.
        ImageError: a picture cannot be read.
    """
    folders = sorted(p for p in root.iterdir() if p.is_dir()) if root.is_dir() else []
    files = {d.name: [f for f in sorted(d.iterdir()) if f.suffix.lower() in SUFFIXES] for d in folders}
    files = {name: paths for name, paths in files.items() if paths}
    if len(files) < 2:
        raise DataError(f"{root}: expected folders <identity>/<image>, met {len(files)} identities")
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


def evaluate_holdout(faces: HoldoutFaces, *, n_splits: int = N_SPLITS) -> HoldoutResult:
    """TAR at FAR 1e-2 to 1e-6 over all pairs i < j, and over disjoint splits of the identities.

    The identities are dealt to the splits in order of their names, so that a split is the same for every model.
    """
    counts = count_pairs(faces.embeddings, faces.labels)
    points = [counts.tar_at_far(far) for far in FARS]
    n_splits = min(n_splits, max(1, len(faces.identities) // 2))
    splits = [_split_points(faces, faces.labels % n_splits == k) for k in range(n_splits)]
    tar = {}
    for i, point in enumerate(points):
        mean, se = _mean_and_se([split[i].tar for split in splits])
        tar[far_key(point.far)] = {"mean": mean, "se": se, "all": point.tar}
    return HoldoutResult(
        tar,
        {far_key(point.far): point.threshold for point in points},
        points[0].n_same,
        points[0].n_diff,
        len(faces.labels),
        len(faces.identities),
        n_splits,
    )


def calibrate(model: Path, spec: ModelSpec, faces: HoldoutFaces, *, source: str) -> ModelSpec:
    """Write the distance at each FAR that the pairs support into the model's own file; returns the new spec.

    Args:
        model: the ONNX file.
        spec: its spec so far.
        faces: embedded by this model; of people that it was not trained on.
        source: what the faces are, for the spec.
    """
    result = evaluate_holdout(faces)
    calibration = f"{source}: {result.n_same} same and {result.n_diff} different pairs"
    distances = {key: None if d is None else round(d, 5) for key, d in result.threshold.items()}
    return write_spec(model, dataclasses.replace(spec, distances=distances, calibration=calibration))


def _split_points(faces: HoldoutFaces, chosen: NDArray[np.bool_]) -> list[OperatingPoint]:
    counts = count_pairs(faces.embeddings[chosen], faces.labels[chosen])
    return [counts.tar_at_far(far) for far in FARS]


def _mean_and_se(values: list[float | None]) -> tuple[float | None, float | None]:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None, None
    se = float(np.std(known, ddof=1) / np.sqrt(len(known))) if len(known) > 1 else None
    return float(np.mean(known)), se
