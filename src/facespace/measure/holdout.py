"""VAL at FAR over a hold-out set (paper, section 4): half against half of disjoint splits, and all pairs."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.measure.faces import EmbeddedFaces
from facespace.metrics import Interval, OperatingPoint, PairCounts, mean_and_se
from facespace.metrics.all_pairs import count_sorted, exact_points
from facespace.metrics.pair_blocks import sort_pairs
from facespace.metrics.tar_intervals import tar_interval
from facespace.models import FARS, far_key

# Disjoint splits of the identities (paper, section 4.1).
N_SPLITS = 5
# Up to here a second pass makes each figure exact to the pair; beyond, the grid's bound is far below a pair in 10,000.
EXACT_PAIRS = 2_000_000_000
# Beyond this the figure over all pairs at once is left out: the splits say it at a fraction of the time.
ALL_PAIRS = 10_000_000_000
# Draws of identities for an interval look at each of the nearest pairs; splits serve larger sets.
INTERVAL_FACES = 20_000


@dataclass(frozen=True)
class HoldoutFigures:
    """TAR (VAL) at each FAR."""

    # at each FAR the mean and standard error over disjoint splits of the identities, half of each split
    # against its other half ("mean", "se"), and the figure over all pairs i < j ("all"); None where the pairs
    # do not support the FAR
    tar: dict[str, dict[str, float | None]]
    threshold: dict[str, float | None]  # the distance of each FAR over all pairs, else None
    n_same: int  # pairs of one person, of all pairs
    n_diff: int  # pairs of two persons, likewise
    n_faces: int  # faces
    n_identities: int  # identities
    n_splits: int  # disjoint splits behind mean and se
    # of each "all", over draws of identities; None where it is not given
    interval: dict[str, Interval | None] = dataclasses.field(default_factory=dict)
    # the most that each "all" can be; the same where it is exact to the pair
    tar_high: dict[str, float | None] = dataclasses.field(default_factory=dict)
    split_pairs: tuple[int, int] = (0, 0)  # pairs of one and of two persons in all the splits
    note: str | None = None  # what was left out, else None


@dataclass(frozen=True)
class PhotosFigures:
    """TAR (VAL) at each FAR over all pairs of personal photo collections."""

    # at each FAR the mean over the collections and its standard error ("mean", "se")
    tar: dict[str, dict[str, float | None]]
    # each collection's figures by its name, as `HoldoutFigures` without splits
    collections: dict[str, HoldoutFigures]


def evaluate_holdout(
    faces: EmbeddedFaces, *, n_splits: int = N_SPLITS, intervals: bool = False
) -> HoldoutFigures:
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
        mean, se = mean_and_se([points[i].tar for points in splits])
        tar[far_key(far)] = {"mean": mean, "se": se, "all": whole.tar[far_key(far)]["all"]}
    pairs = sum(points[0].n_same for points in splits), sum(points[0].n_diff for points in splits)
    return dataclasses.replace(whole, tar=tar, n_splits=n_splits, split_pairs=pairs)


def evaluate_photos(collections: dict[str, EmbeddedFaces], *, intervals: bool = False) -> PhotosFigures:
    """TAR at FAR 1e-2 to 1e-6 over all pairs i < j of each collection; mean and standard error over them.

    Raises:
        InputError: no collection, or rows that are not of unit length.
    """
    if not collections:
        raise InputError("expected at least one collection of photos")
    results = {name: _whole(faces, intervals=intervals, most=None) for name, faces in collections.items()}
    tar = {}
    for key in map(far_key, FARS):
        mean, se = mean_and_se([result.tar[key]["all"] for result in results.values()])
        tar[key] = {"mean": mean, "se": se}
    return PhotosFigures(tar, results)


def _whole(faces: EmbeddedFaces, *, intervals: bool, most: int | None) -> HoldoutFigures:
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
    return HoldoutFigures(
        tar={far_key(p.far): {"all": p.tar} for p in points},
        threshold={far_key(p.far): p.threshold for p in points},
        n_same=n_same,
        n_diff=n_diff,
        n_faces=n,
        n_identities=len(faces.identities),
        n_splits=0,
        interval={
            far_key(p.far): tar_interval(faces.embeddings, faces.labels, far=p.far) if drawn else None
            for p in points
        },
        tar_high={far_key(p.far): p.tar_high for p in points},
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


def _halves(faces: EmbeddedFaces, half: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> list[OperatingPoint]:
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
