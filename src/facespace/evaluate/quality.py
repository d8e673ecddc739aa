"""Does quality find the faces that spoil a hold-out set? Drop the worst tenth, and beside it a tenth by chance."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.evaluate.holdout import HoldoutFaces, find_crops
from facespace.evaluate.resample import IdentityPairs, draw_weights, interval
from facespace.extract import CROPS_PER_BATCH, FaceEmbedder, extract_crops
from facespace.faces.quality import face_quality

__all__ = ["QualityResult", "evaluate_quality", "holdout_quality", "worst_faces"]

N_DRAWS = 500
N_RANDOM = 20


@dataclass(frozen=True)
class QualityResult:
    """TAR (VAL) at one FAR of all faces, and of what is left after dropping a share of them.

    Attributes:
        far: false-accept rate; each threshold is chosen on the faces left.
        share: of the faces dropped.
        tar_all: of all faces.
        tar_without_worst: after dropping those of least quality.
        tar_without_random: after dropping as many by chance, mean over ``n_random`` choices.
        gain: of the first over the second.
        gain_interval: 95 %, identities resampled in pairs.
        n_faces: all faces.
        n_dropped: faces dropped either way.
        n_random: choices by chance.
    """

    far: float
    share: float
    tar_all: float
    tar_without_worst: float
    tar_without_random: float
    gain: float
    gain_interval: tuple[float, float]
    n_faces: int
    n_dropped: int
    n_random: int


def evaluate_quality(
    faces: HoldoutFaces,
    quality: NDArray[np.float32],
    *,
    far: float = 1e-3,
    share: float = 0.1,
    keep: int = 5,
    n_random: int = N_RANDOM,
    n_draws: int = N_DRAWS,
) -> QualityResult:
    """Compare dropping the worst ``share`` with dropping as many by chance; each identity keeps ``keep`` faces.

    Args:
        faces: embeddings and identities.
        quality: shape (N,), more is better.
        far: the rate at which TAR is compared.
        share: of the faces to drop.
        keep: an identity of so many faces or fewer loses none.
        n_random: choices by chance to average over.
        n_draws: resamples of the identities.

    Raises:
        InputError: another shape, or faces that cannot be resampled.
    """
    labels = faces.labels
    if np.shape(quality) != labels.shape or not np.isfinite(quality).all():
        raise InputError(f"quality: expected finite values of shape {labels.shape}, got {np.shape(quality)}")
    n_drop = round(share * len(labels))
    weights = draw_weights(len(faces.identities), n_draws)
    whole = IdentityPairs.of(faces.embeddings, labels)

    def tar(order: NDArray[np.float32]) -> NDArray[np.float64]:
        kept = ~worst_faces(order, labels, n_drop=n_drop, keep=keep)
        pairs = IdentityPairs.of(
            faces.embeddings[kept], labels[kept], n_identities=len(faces.identities), edges=whole.edges
        )
        return pairs.tar_at_far(weights, far)

    worst = tar(quality)
    rng = np.random.default_rng(0)
    chance = np.mean([tar(rng.random(len(labels)).astype(np.float32)) for _ in range(n_random)], axis=0)
    return QualityResult(
        far, share, float(whole.tar_at_far(weights[:1], far)[0]), float(worst[0]), float(chance[0]),
        float(worst[0] - chance[0]), interval((worst - chance)[1:]), len(labels),
        int(worst_faces(quality, labels, n_drop=n_drop, keep=keep).sum()), n_random,
    )  # fmt: skip


def holdout_quality(root: Path, embedder: FaceEmbedder) -> NDArray[np.float32]:
    """Quality of every crop of `root/<identity>/<image>`, in the order of `embed_holdout`.

    Raises:
        DataError: no such folder, or fewer than two identities in it.
        ImageError: a picture cannot be read.
    """
    paths = [path for group in find_crops(root).values() for path in group]
    found = [np.zeros(0, np.float32)]
    for start in range(0, len(paths), CROPS_PER_BATCH):
        crops = [crop for _, _, crop in extract_crops(paths[start : start + CROPS_PER_BATCH], embedder)]
        found.append(face_quality(np.stack(crops)))
    return np.concatenate(found)


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
