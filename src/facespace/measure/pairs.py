"""Listed pairs judged by a model: pictures of a pair list, distances, accuracy over folds (paper, section 5.6).

Protocol: Huang et al. 2007, "unrestricted, labeled outside data": the threshold is chosen on the other folds.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.distances import distance
from facespace.measure.faces import FaceSet
from facespace.measure.groups import GroupRates, group_pairs, groups_table
from facespace.measure.pair_list import PairList
from facespace.measure.result import Table, plain
from facespace.measure.views import FacePlace
from facespace.metrics import McNemar, auc, eer, kfold_accuracy, kfold_tar, mcnemar, tar_at_far
from facespace.models import far_key

__all__ = ["PairDistances", "PairExtras", "PairFigures", "PairSet", "score_pairs"]

FARS = (1e-1, 1e-2, 1e-3)
STANDARD_FOLDS = 10


@dataclass(frozen=True, eq=False)
class PairSet:
    """The pictures of a pair list."""

    faces: FaceSet
    listed: PairList

    @classmethod
    def of(cls, name: str, root: Path, listed: PairList, places: NDArray[np.float32]) -> "PairSet":
        """The pictures of ``listed`` below ``root`` with the places (N, 16) of their faces."""
        names = listed.names
        people, labels = np.unique([name.split("/")[0] for name in names], return_inverse=True)
        faces = FaceSet(
            name, tuple(root / n for n in names), labels.astype(np.int64), tuple(people.tolist()),
            tuple(map(FacePlace.from_array, places)),
        )  # fmt: skip
        return cls(faces, listed)

    @cached_property
    def sides(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The pictures of each pair, as indices into ``faces``, shape (P,) each."""
        index = {name: i for i, name in enumerate(self.listed.names)}
        left, right = (
            np.array([index[pair[side]] for pair in self.listed.pairs], np.int64) for side in (0, 1)
        )
        return left, right

    def measured(self, rows: NDArray[np.float32], *, mode: str) -> "PairDistances":
        """The distance of each pair of the unit rows (N, D) of the pictures."""
        left, right = self.sides
        failures = self.faces.failures if mode == "detector" else 0
        return PairDistances(self.listed, distance(rows[left], rows[right]), failures, mode)


@dataclass(frozen=True, eq=False)
class PairDistances:
    """What a model makes of listed pairs.

    Attributes:
        listed: the pairs.
        distance: float32, shape (P,).
        failures: pictures (or videos) without a detected face, which were cropped at the centre.
        mode: "detector" or "centre".
    """

    listed: PairList
    distance: NDArray[np.float32]
    failures: int
    mode: str

    @cached_property
    def thresholds(self) -> NDArray[np.float64]:
        """The distance that decides each pair, shape (P,): the best one of the other folds."""
        chosen = kfold_accuracy(self.distance, self.listed.same, self.listed.folds).thresholds
        return np.array(chosen)[np.unique(self.listed.folds, return_inverse=True)[1]]

    def right(self) -> NDArray[np.bool_]:
        """Which pairs are decided rightly, shape (P,), each at the threshold of the other folds."""
        return (self.distance <= self.thresholds) == self.listed.same


@dataclass(frozen=True)
class PairFigures:
    """The figures of LFW and protocols like it.

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


def score_pairs(measured: PairDistances) -> PairFigures:
    """The figures of measured pairs.

    Raises:
        InputError: distances that are not finite.
    """
    listed, distances = measured.listed, measured.distance
    folds = kfold_accuracy(distances, listed.same, listed.folds)
    n_folds, wrong = len(folds.accuracies), ~measured.right()
    over_folds = {far_key(far): kfold_tar(distances, listed.same, listed.folds, far) for far in FARS}
    return PairFigures(
        accuracy_mean=folds.mean,
        accuracy_se=folds.se,
        thresholds=folds.thresholds,
        auc=auc(distances, listed.same),
        eer=eer(distances, listed.same)[0],
        tar={far_key(far): tar_at_far(distances, listed.same, far).tar for far in FARS},
        n_same=int(listed.same.sum()),
        n_diff=int((~listed.same).sum()),
        detector_failures=measured.failures,
        mode=measured.mode,
        n_folds=n_folds,
        note=_note(listed, n_folds),
        n_false_accepts=int((wrong & ~listed.same).sum()),
        n_false_rejects=int((wrong & listed.same).sum()),
        tar_folds={key: None if v is None else {"mean": v[0], "se": v[1]} for key, v in over_folds.items()},
    )


@dataclass(frozen=True)
class PairExtras:
    """What `--against` and `--groups` add to the figures of listed pairs.

    Attributes:
        test: of the first model against a second; None without one.
        groups: rates by group at the mean threshold of the folds; None where none were asked for.
    """

    test: McNemar | None
    groups: list[GroupRates] | None

    @classmethod
    def of(
        cls, first: PairDistances, second: PairDistances | None, groups: dict[str, dict[str, str]] | None
    ) -> "PairExtras":
        """Compare two models' decisions on the same pairs, and split the first one's by group."""
        test = mcnemar(first.right(), second.right()) if second else None
        if groups is None:
            return cls(test, None)
        chosen = kfold_accuracy(first.distance, first.listed.same, first.listed.folds).thresholds
        threshold = sum(chosen) / len(chosen)
        return cls(test, group_pairs(first.distance, *first.listed.people, groups, threshold=threshold))

    @property
    def sentence(self) -> str:
        """The outcome of the test, to be added to a headline; empty without one."""
        if self.test is None:
            return ""
        return (
            f" Against the second model: {self.test.verdict}; {self.test.n_only_first} pairs right by the first alone, "
            f"{self.test.n_only_second} by the second alone, p = {self.test.p_value:.3g} (McNemar, exact)."
        )

    @property
    def tables(self) -> tuple[Table, ...]:
        """The table of the groups, if there are any."""
        return (groups_table(self.groups),) if self.groups else ()

    @property
    def figures(self) -> dict[str, Any]:
        """Plain values by name, of what was asked for."""
        found = {"against": self.test, "groups": self.groups}
        return {name: plain(value) for name, value in found.items() if value is not None}


def _note(listed: PairList, n_folds: int) -> str | None:
    sizes = np.unique(np.bincount(listed.folds))
    if n_folds != STANDARD_FOLDS:
        return f"{n_folds} folds; the standard figure has {STANDARD_FOLDS}, so this is not it"
    if len(sizes) > 1:
        return f"folds of {sizes[0]} to {sizes[-1]} pairs; the standard ones are of equal size, so this is not it"
    return None
