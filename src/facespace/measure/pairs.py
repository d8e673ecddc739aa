"""Listed pairs judged by a model: the lists, distances, accuracy over folds (paper, section 5.6).

Protocol: Huang et al. 2007, "unrestricted, labeled outside data": the threshold is chosen on the other folds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from facespace.distances import distance
from facespace.errors import DataError
from facespace.measure.experiment import Option
from facespace.measure.faces import FaceSet
from facespace.measure.groups import GroupRates, group_pairs, groups_table
from facespace.measure.result import Table, plain
from facespace.measure.views import FacePlace
from facespace.metrics import McNemar, auc, eer, kfold_accuracy, kfold_tar, mcnemar, tar_at_far
from facespace.models import far_key

Mode = Annotated[
    Literal["detector", "centre"],
    Option("'detector' (the crop of the face that the detector finds) or 'centre' (one fixed crop)."),
]
Against = Annotated[str | None, Option("A second model, by name or file: is the first significantly better?")]


@dataclass(frozen=True, eq=False)
class PairList:
    """Pairs by name, and who shows whom."""

    # names of both pictures (`Name/Name_0001.jpg`) or videos (`Name/number`)
    pairs: tuple[tuple[str, str], ...]
    same: NDArray[np.bool_]  # shape (P,), True for pairs of one person
    folds: NDArray[np.int64]  # shape (P,), 0 .. n_folds - 1.

    @property
    def names(self) -> list[str]:
        """All pictures or videos, each once, in order of first use."""
        return list(dict.fromkeys(name for pair in self.pairs for name in pair))

    @property
    def people(self) -> tuple[list[str], list[str]]:
        """The person on each side of each pair."""
        first, second = ([pair[side].split("/")[0] for pair in self.pairs] for side in (0, 1))
        return first, second

    def check_folds(self, path: Path) -> None:
        """Refuse what no accuracy by folds can come from, before any picture is read.

        Raises:
            DataError: fewer than two folds, or pairs of one kind only.
        """
        if len(np.unique(self.folds)) < 2:
            raise DataError(
                f"{path}: expected at least two folds, since each threshold comes from the others"
            )
        if self.same.all() or not self.same.any():
            raise DataError(f"{path}: expected pairs of one person and of two, met one kind only")


def read_pairs(path: Path) -> PairList:
    """Parse a pairs.txt: "folds n" (or "n"), then for each fold n same lines and n different lines.

    Raises:
        DataError: no such file, or lines that do not fit its header.
    """
    lines = [line.split() for line in _lines(path, "LFW's pairs.txt")]
    try:
        header = [int(field) for field in lines[0]]
        n_folds, n_each = header if len(header) == 2 else (1, *header)
    except (IndexError, ValueError) as error:
        raise DataError(f"{path}: expected a first line 'folds pairs' or 'pairs'") from error
    body = lines[1:]
    if len(body) != 2 * n_folds * n_each:
        raise DataError(f"{path}: expected {2 * n_folds * n_each} pairs by its header, met {len(body)}")
    pairs, same = zip(*(_pair(fields, path) for fields in body), strict=True) if body else ((), ())
    return PairList(tuple(pairs), np.array(same, bool), np.arange(len(body)) // (2 * n_each))


def read_splits(path: Path) -> PairList:
    """Parse a splits.txt: lines "split, pair, Name/video, Name/video, same".

    Raises:
        DataError: no such file, or lines of another form.
    """
    pairs, same, folds = [], [], []
    for line in _lines(path, "YouTube Faces' splits.txt"):
        fields = [field.strip() for field in line.split(",")]
        if not fields[0].isdigit():
            continue  # some copies begin with a line that names the columns
        if len(fields) < 5 or fields[4] not in ("0", "1") or "/" not in fields[2] or "/" not in fields[3]:
            raise DataError(f"{path}: expected 'split, pair, Name/video, Name/video, same', met '{line}'")
        pairs.append((fields[2], fields[3]))
        same.append(fields[4] == "1")
        folds.append(int(fields[0]) - 1)
    if not pairs:
        raise DataError(f"{path}: expected lines 'split, pair, Name/video, Name/video, same', met none")
    return PairList(tuple(pairs), np.array(same, bool), np.array(folds, np.int64))


def check_present(root: Path, names: Iterable[str]) -> None:
    """Refuse a pairs file some of whose pictures are missing.

    Raises:
        DataError: names the first of them, and how many more there are.
    """
    missing = [name for name in names if not (root / name).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(f"{root}: pictures named in the pairs file are missing: {missing[0]}{more}")


def _lines(path: Path, what: str) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise DataError(f"{path}: expected {what}, cannot read it: {error.strerror}") from error


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
    """What a model makes of listed pairs."""

    listed: PairList  # the pairs
    distance: NDArray[np.float32]  # float32, shape (P,)
    failures: int  # pictures (or videos) without a detected face, which were cropped at the centre
    mode: str  # "detector" or "centre"

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
    """The figures of LFW and protocols like it."""

    accuracy_mean: float  # mean accuracy of the folds
    accuracy_se: float  # standard error of that mean
    thresholds: tuple[float, ...]  # the distance chosen on the other folds, one a fold
    auc: float  # area under the ROC of all pairs
    eer: float  # equal error rate of all pairs
    tar: dict[str, float | None]  # TAR at each FAR that the pairs support, else None
    n_same: int  # pairs of one person
    n_diff: int  # pairs of two persons
    detector_failures: int  # pictures without a detected face, which were cropped at the centre
    mode: str  # "detector" or "centre"
    n_folds: int  # how many folds; with other than ten the figure is not the standard one
    note: str | None  # says so, or that folds are of unequal size, else None
    n_false_accepts: int = 0  # pairs of two persons taken for one, each at the threshold of its fold
    n_false_rejects: int = 0  # pairs of one person taken for two, likewise
    # at each FAR the mean and standard error over folds of TAR ("mean", "se"), each at the distance of the
    # other folds; None where these do not support the FAR
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
    """What `--against` and `--groups` add to the figures of listed pairs."""

    test: McNemar | None  # of the first model against a second; None without one
    # rates by group at the mean threshold of the folds; None where none were asked for
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
