"""One thing varies, accuracy is measured: the sets that sweeps measure on, and what they state at each setting."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

from facespace.measure.context import Context
from facespace.measure.experiment import Option
from facespace.measure.faces import EmbeddedFaces, FaceSet
from facespace.measure.holdout import evaluate_holdout
from facespace.measure.pairs import PairSet
from facespace.measure.paper import holdout_differs, lfw_differs
from facespace.measure.result import Cell, spread
from facespace.measure.views import jpeg_quality, own_px
from facespace.metrics import kfold_accuracy, tar_at_far

VAL_FAR, LFW_FAR = 1e-3, 1e-2
On = Annotated[
    Literal["both", "val", "lfw"],
    Option("'val' (DATA/faces/val), 'lfw' (whole pictures of DATA/lfw) or 'both'."),
]


@dataclass(frozen=True)
class Score:
    """How well pairs are told apart."""

    far: float  # the false accept rate that ``tar`` stands for
    tar: float | None  # TAR (VAL) over all pairs; None where they do not support ``far``
    # its mean over five disjoint splits of the identities; None for LFW, whose pairs are given
    tar_mean: float | None = None
    tar_se: float | None = None  # the standard error of that mean
    accuracy: float | None = None  # mean accuracy over LFW's folds; None for a hold-out set
    accuracy_se: float | None = None  # its standard error

    @property
    def splits(self) -> Cell:
        """TAR over splits with its standard error, as a cell."""
        return spread(self.tar_mean, self.tar_se)

    @property
    def folds(self) -> Cell:
        """Accuracy over folds with its standard error, as a cell."""
        return spread(self.accuracy, self.accuracy_se)


@dataclass(frozen=True)
class Point:
    """One setting."""

    setting: str  # for people, such as "quality 10"
    # the number that varies; None for the pictures as they are and for settings that are no number
    value: float | None
    scores: dict[str, Score]  # what was reached on each set, by the set's name
    note: str = ""  # what else to know


@dataclass(frozen=True, eq=False)
class Target:
    """A set of faces that sweeps measure on."""

    name: str  # short, for columns: "faces/val" or "LFW"
    faces: FaceSet  # the pictures
    score: Callable[[NDArray[np.float32]], Score]  # what unit rows (N, D) of the pictures reach

    @property
    def own_px(self) -> int:
        """Longest side of the pictures, the median."""
        return own_px(self.faces.paths)

    @property
    def face_px(self) -> float:
        """Side of the square of a picture that the crop shows, in its pixels, the median."""
        spans = [place.span_px for place in self.faces.places]
        return float(np.median(spans)) if spans else float(self.own_px)

    def notes(self) -> list[str]:
        """What was done to the pictures before, and how faces are placed."""
        quality = jpeg_quality(self.faces.paths)
        files = "no JPEGs" if quality is None else f"JPEGs of quality {quality} already"
        placed = f"{self.name}: faces are where they were found in the pictures as they are."
        return [f"{self.name}: the files are {files}.", *([placed] if self.faces.places else [])]


def targets(context: Context, on: On = "both") -> list[Target]:
    """The sets that an option ``on`` names.

    Raises:
        DataError: pictures are missing.
    """
    made = {"val": val_target, "lfw": lfw_target}
    return [made[name](context) for name in (("val", "lfw") if on == "both" else (on,))]


def differs(sets: Sequence[Target], context: Context) -> tuple[str, ...]:
    """What stands between the paper's sets and these."""
    texts = {"faces/val": lambda: holdout_differs(context), "LFW": lfw_differs}
    return tuple(texts[chosen.name]() for chosen in sets)


def val_target(context: Context) -> Target:
    """The validation faces: TAR at FAR 1e-3 over all pairs and over splits."""
    faces = context.holdout

    def score(rows: NDArray[np.float32]) -> Score:
        return score_holdout(faces.embedded(rows))

    return Target("faces/val", faces, score)


def lfw_target(context: Context) -> Target:
    """LFW with found faces: accuracy over folds, and TAR at FAR 1e-2 over all pairs."""
    pictures = context.lfw
    return Target("LFW", pictures.faces, lambda rows: score_pair_set(pictures, rows))


def score_holdout(faces: EmbeddedFaces) -> Score:
    """TAR at FAR 1e-3 of a hold-out set."""
    tar = evaluate_holdout(faces).tar["1e-3"]
    return Score(VAL_FAR, tar["all"], tar["mean"], tar["se"])


def score_pair_set(pictures: PairSet, rows: NDArray[np.float32]) -> Score:
    """Accuracy over folds and TAR at FAR 1e-2 of listed pairs."""
    distances, listed = pictures.measured(rows, mode="detector").distance, pictures.listed
    folds = kfold_accuracy(distances, listed.same, listed.folds)
    return Score(
        LFW_FAR, tar_at_far(distances, listed.same, LFW_FAR).tar, accuracy=folds.mean, accuracy_se=folds.se
    )
