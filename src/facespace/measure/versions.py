"""Figure 8: do a newer and an older model meet? TAR within each version and between them, paired over splits.

Every comparison is made of the same faces and over the same splits of the identities: all pairs i < j within a version,
and each face by the newer against all other faces by the older one between them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.measure.faces import EmbeddedFaces
from facespace.measure.holdout import N_SPLITS
from facespace.metrics import PairCounts, count_mixed_pairs, count_pairs, mean_and_se
from facespace.models import FARS, far_key

FAR = 1e-3
T = TypeVar("T")
U = TypeVar("U")

# Unit rows of one version (N, D) -> unit rows of another (N, E).
RowMap = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Versions(Generic[T]):
    """Of each version its model, or the same faces by that model."""

    old: T  # v1
    new: T  # v2
    alone: T | None = None  # v2's network trained without regard to v1, if there is one
    others: Mapping[str, T] = field(default_factory=dict)  # further newer ones, such as one distilled onto v1

    def by(self, make: Callable[[T], U]) -> "Versions[U]":
        """What ``make`` gives of each."""
        alone = None if self.alone is None else make(self.alone)
        return Versions(
            make(self.old), make(self.new), alone, {name: make(other) for name, other in self.others.items()}
        )


@dataclass(frozen=True)
class VersionScore:
    """One comparison."""

    name: str  # such as "v2-v1"; of each pair the first is the probe
    tar: dict[str, float | None]  # at each FAR over all pairs; None where they do not support it
    threshold: dict[str, float | None]  # the distance of each FAR, likewise
    mean: float | None  # TAR at FAR 1e-3, mean over the splits
    se: float | None  # its standard error
    splits: tuple[float | None, ...]  # that TAR of each split
    curve_far: tuple[float, ...]  # FARs of the ROC over all pairs
    curve_tar: tuple[float, ...]  # TAR at each


@dataclass(frozen=True)
class GapOfTars:
    """TAR at FAR 1e-3 of one comparison less that of another, paired over the splits."""

    higher: str  # name of the comparison that is expected to be better
    lower: str  # of the other
    mean: float | None  # mean difference
    se: float | None  # its standard error
    clear: bool  # it is larger than its standard error


@dataclass(frozen=True)
class HarmonicFigures:
    """What Figure 8 shows."""

    # the comparisons: v1-v1, v2-v1, v2-v2, then v2 alone, other newer models and maps
    scores: tuple[VersionScore, ...]
    # v2-v2 over v2-v1 over v1-v1 (the figure's order), then the price, then v2-v1 over what else could be
    # done
    gaps: tuple[GapOfTars, ...]
    in_order: bool  # the figure's order holds, each gap larger than its standard error
    far: float  # of means and gaps
    n_splits: int  # disjoint splits of the identities
    n_faces: int  # faces
    n_identities: int  # identities
    fitted_on: int = 0  # training faces that the maps were fitted on

    def score(self, name: str) -> VersionScore:
        """A comparison by its name."""
        return next(score for score in self.scores if score.name == name)


def evaluate_harmonic(
    versions: Versions[EmbeddedFaces],
    *,
    maps: Mapping[str, RowMap] | None = None,
    fitted_on: int = 0,
) -> HarmonicFigures:
    """TAR at FAR 1e-3 of the newer version, of mixed comparison, of the older, and of what else could be done.

    Args:
        versions: the same faces of people that no model was trained on, by each model.
        maps: v1 -> v2 alone, by name: what one could do without a harmonic loss.
        fitted_on: training faces that the maps were fitted on.

    Raises:
        InputError: models that did not see the same faces, maps without v2 alone, or
            embeddings of different dimensions.
    """
    labels = _common_labels(versions)
    n_splits = min(N_SPLITS, max(1, len(versions.old.identities) // 2))
    scores = tuple(
        _score(name, first, second, labels, n_splits) for name, first, second in _pairs(versions, maps or {})
    )
    gaps = tuple(_gap(scores, higher, lower) for higher, lower in _expected([s.name for s in scores]))
    in_order = all(gap.clear for gap in gaps[:2])
    n_identities = len(versions.old.identities)
    return HarmonicFigures(scores, gaps, in_order, FAR, n_splits, len(labels), n_identities, fitted_on)


def _common_labels(versions: Versions[EmbeddedFaces]) -> NDArray[np.int64]:
    others = [versions.new, *([versions.alone] if versions.alone else []), *versions.others.values()]
    if any(faces.labels.tolist() != versions.old.labels.tolist() for faces in others):
        raise InputError("expected the same faces by every model, the sets differ")
    return versions.old.labels


def _pairs(
    versions: Versions[EmbeddedFaces], maps: Mapping[str, RowMap]
) -> list[tuple[str, NDArray[np.float32], NDArray[np.float32] | None]]:
    """Name, rows, and the second model's rows where the comparison is mixed."""
    old, new = versions.old.embeddings, versions.new.embeddings
    listed = [("v1-v1", old, None), ("v2-v1", new, old), ("v2-v2", new, None)]
    if versions.alone is not None:
        alone = versions.alone.embeddings
        listed.append(("alone-alone", alone, None))
        if alone.shape[1] == old.shape[1]:
            listed.append(("alone-v1", alone, old))
        listed += [(f"alone-{name}(v1)", alone, apply(old)) for name, apply in maps.items()]
    elif maps:
        raise InputError("maps: expected v2 alone beside them, which they map to")
    for name, faces in versions.others.items():
        listed += [(f"{name}-{name}", faces.embeddings, None), (f"{name}-v1", faces.embeddings, old)]
    return listed


def _expected(names: Sequence[str]) -> list[tuple[str, str]]:
    """What should be better than what: Figure 8's order, the price, and v2-v1 over other ways to meet v1."""
    order = [("v2-v2", "v2-v1"), ("v2-v1", "v1-v1")]
    price = [("alone-alone", "v2-v2")] if "alone-alone" in names else []
    ways = [n for n in names if n not in ("v2-v1", "v1-v1") and (n.endswith("-v1") or n.endswith("(v1)"))]
    return order + price + [("v2-v1", name) for name in ways]


def _score(
    name: str,
    first: NDArray[np.float32],
    second: NDArray[np.float32] | None,
    labels: NDArray[np.int64],
    n_splits: int,
) -> VersionScore:
    whole = _count(first, second, labels, np.ones(len(labels), bool))
    splits = [
        _count(first, second, labels, labels % n_splits == k).tar_at_far(FAR).tar for k in range(n_splits)
    ]
    points = {far_key(far): whole.tar_at_far(far) for far in FARS}
    return VersionScore(
        name,
        {key: point.tar for key, point in points.items()},
        {key: point.threshold for key, point in points.items()},
        *mean_and_se(splits),
        tuple(splits),
        *whole.curve(),
    )


def _count(
    first: NDArray[np.float32],
    second: NDArray[np.float32] | None,
    labels: NDArray[np.int64],
    chosen: NDArray[np.bool_],
) -> PairCounts:
    if second is None:
        return count_pairs(first[chosen], labels[chosen])
    return count_mixed_pairs(first[chosen], second[chosen], labels[chosen])


def _gap(scores: Sequence[VersionScore], higher: str, lower: str) -> GapOfTars:
    by_name = {score.name: score.splits for score in scores}
    known = [(a, b) for a, b in zip(by_name[higher], by_name[lower], strict=True)]
    mean, se = mean_and_se([None if a is None or b is None else a - b for a, b in known])
    return GapOfTars(higher, lower, mean, se, mean is not None and se is not None and mean > se)
