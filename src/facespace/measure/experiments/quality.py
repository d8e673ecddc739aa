"""Does quality find the faces that spoil a hold-out set? Drop the worst tenth, and beside it a tenth by chance."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.extract import CROPS_PER_BATCH, extract_crops
from facespace.faces.quality import face_quality
from facespace.measure.context import Context
from facespace.measure.experiment import Option, experiment
from facespace.measure.faces import EmbeddedFaces
from facespace.measure.paper import holdout_differs
from facespace.measure.result import MEASURED, Column, Result, Table, percent, plain, with_interval
from facespace.metrics import Interval, all_pairs
from facespace.metrics.resampling import interval_of
from facespace.metrics.tar_intervals import tar_draws

FAR = 1e-3
N_DRAWS = 500
N_RANDOM = 20
KEPT = 5  # a person of so many faces or fewer loses none


@dataclass(frozen=True)
class QualityFigures:
    """TAR (VAL) at one FAR of all faces, and of what is left after dropping a share of them."""

    far: float  # false-accept rate; each threshold is chosen on the faces left
    tar_all: float | None  # of all faces
    tar_without_worst: float | None  # after dropping those of least quality
    tar_without_random: float | None  # after dropping as many by chance, mean over ``n_random`` choices
    gain: float | None  # of the first over the second; None where the pairs do not support the FAR
    gain_interval: Interval | None  # 95 %, identities resampled in pairs
    n_faces: int  # all faces
    n_dropped: int  # faces dropped either way
    n_random: int  # choices by chance


@experiment(
    "The paper does not judge the quality of faces.",
)
def run(
    context: Context,
    *,
    share: Annotated[float, Option("Share of the faces to drop.", min=0.0, max=0.9)] = 0.1,
) -> Result:
    """TAR (VAL) on the validation faces without the tenth of least quality, beside that without a tenth by chance."""
    faces = context.holdout
    figures = drop_worst(context.embedded(faces), measure_quality(context), share=share)
    columns = (Column("faces"), Column("VAL at FAR 1e-3", "percent2"))
    rows = (
        (f"all {figures.n_faces:,}", figures.tar_all),
        (f"without the {figures.n_dropped:,} of least quality", figures.tar_without_worst),
        (f"without as many by chance, mean of {figures.n_random}", figures.tar_without_random),
    )
    gain = with_interval(figures.gain, figures.gain_interval) or percent(None)
    return Result(
        MEASURED,
        f"Dropping the faces of least quality gains {gain} more than dropping as many by chance.",
        (Table("VAL of the faces that are left.", columns, rows),),
        (f"Each person keeps {KEPT} faces or more.", holdout_differs(context)),
        figures=plain(figures),
    )


def drop_worst(
    faces: EmbeddedFaces,
    quality: NDArray[np.float32],
    *,
    share: float = 0.1,
    keep: int = KEPT,
    far: float = FAR,
    n_random: int = N_RANDOM,
    n_draws: int = N_DRAWS,
) -> QualityFigures:
    """Compare dropping the worst ``share`` with dropping as many by chance; each identity keeps ``keep`` faces.

    Args:
        faces: embeddings and identities.
        quality: shape (N,), more is better.
        share: of the faces to drop.
        keep: an identity of so many faces or fewer loses none.
        far: the rate at which TAR is compared.
        n_random: choices by chance to average over.
        n_draws: draws of the identities.

    Raises:
        InputError: another shape, or values that are not finite.
    """
    labels = faces.labels
    if np.shape(quality) != labels.shape or not np.isfinite(quality).all():
        raise InputError(f"quality: expected finite values of shape {labels.shape}, got {np.shape(quality)}")
    n_drop, rng = round(share * len(labels)), np.random.default_rng(0)
    orders = [quality, *(rng.random(len(labels)).astype(np.float32) for _ in range(n_random))]
    dropped = [worst_faces(order, labels, n_drop=n_drop, keep=keep) for order in orders]
    worst, *chance = [_tar_and_draws(faces, ~out, far, n_draws) for out in dropped]
    by_chance = [c for c in chance if c is not None]
    whole = all_pairs(faces.embeddings, labels, fars=(far,))[0].tar
    counts = len(labels), int(dropped[0].sum()), n_random
    if worst is None or len(by_chance) < n_random:
        return QualityFigures(far, whole, None, None, None, None, *counts)
    mean = float(np.mean([tar for tar, _ in by_chance]))
    draws = worst[1] - np.mean([drawn for _, drawn in by_chance], axis=0)
    gain = interval_of(draws, len(faces.identities))
    return QualityFigures(far, whole, worst[0], mean, worst[0] - mean, gain, *counts)


def worst_faces(
    quality: NDArray[np.float32], labels: NDArray[np.int64], *, n_drop: int, keep: int
) -> NDArray[np.bool_]:
    """True for the ``n_drop`` faces of least quality, shape (N,), of which each identity keeps ``keep`` or more."""
    left = np.bincount(labels)
    dropped = np.zeros(len(labels), np.bool_)
    for i in np.argsort(quality, kind="stable"):
        if dropped.sum() == n_drop:
            break
        if left[labels[i]] > keep:
            dropped[i] = True
            left[labels[i]] -= 1
    return dropped


def _tar_and_draws(
    faces: EmbeddedFaces, kept: NDArray[np.bool_], far: float, n_draws: int
) -> tuple[float, NDArray[np.float64]] | None:
    """TAR of the faces kept, and that of each draw of identities; the draws are the same for all choices."""
    rows, labels = faces.embeddings[kept], faces.labels[kept]
    point = all_pairs(rows, labels, fars=(far,))[0].tar
    draws = tar_draws(rows, labels, far=far, n_draws=n_draws)
    return None if point is None or draws is None else (point, draws)


def measure_quality(context: Context) -> NDArray[np.float32]:
    """Quality of every validation face, shape (N,)."""
    paths, found = list(context.holdout.paths), [np.zeros(0, np.float32)]
    for start in range(0, len(paths), CROPS_PER_BATCH):
        batch = extract_crops(paths[start : start + CROPS_PER_BATCH], context.embedder)
        found.append(face_quality(np.stack([crop for _, _, crop in batch])))
        context.on_step(min(start + CROPS_PER_BATCH, len(paths)), len(paths))
    return np.concatenate(found)
