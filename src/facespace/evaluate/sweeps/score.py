"""What a sweep states at each setting: VAL at a FAR, and LFW's accuracy where the pairs are LFW's."""

from dataclasses import dataclass

__all__ = ["Score", "Sweep", "SweepPoint"]


@dataclass(frozen=True)
class Score:
    """How well pairs are told apart.

    Attributes:
        far: the false accept rate that ``tar`` stands for.
        tar: TAR (VAL) over all pairs; None where they do not support ``far``.
        tar_mean: its mean over five disjoint splits of the identities; None for LFW, whose pairs are given.
        tar_se: the standard error of that mean.
        accuracy: mean accuracy over LFW's folds; None for a hold-out set.
        accuracy_se: its standard error.
    """

    far: float
    tar: float | None
    tar_mean: float | None = None
    tar_se: float | None = None
    accuracy: float | None = None
    accuracy_se: float | None = None


@dataclass(frozen=True)
class SweepPoint:
    """One setting.

    Attributes:
        setting: for people, such as "quality 10".
        value: the number that varies; None for the pictures as they are and for settings that are no number.
        score: what was reached.
        face_px: side of the piece of the picture that becomes the crop, in its pixels (median); 0 if not known.
        upsampled: the pictures were made larger than they are, so that nothing was gained.
        note: what else to know.
    """

    setting: str
    value: float | None
    score: Score
    face_px: int = 0
    upsampled: bool = False
    note: str = ""


@dataclass(frozen=True)
class Sweep:
    """A model's scores while one thing varies.

    Attributes:
        varied: what varies, such as "JPEG quality".
        model: the model's label.
        material: the pictures, such as "LFW, folds 1 to 5".
        n_same: pairs of one person.
        n_diff: pairs of two persons.
        points: one a setting.
        notes: how it was done.
    """

    varied: str
    model: str
    material: str
    n_same: int
    n_diff: int
    points: tuple[SweepPoint, ...]
    notes: tuple[str, ...] = ()
