"""Who is it? Open-set identification among the subjects of a gallery: a name, or nobody who is enrolled."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.store import Census, IndexState, Prototypes

# One unknown person in a hundred may be taken for somebody.
FPIR = 1e-2


@dataclass(frozen=True)
class Identities:
    """Who N probes show; parallel arrays and tuples.

    Attributes:
        subject: the name, or None: nobody of the gallery is near enough.
        nearest: the subject whose prototype is nearest, near enough or not; None in an empty gallery.
        distance: float64, shape (N,), to that prototype; nan in an empty gallery.
        threshold: float64, shape (N,), the largest distance that makes the nearest the probe's person.
        chance: float64, shape (N,): the share of unknown people who come as near to somebody of the gallery; at an
            end of ``chance_range`` it is that or beyond, since nothing is measured there.
        chance_range: the smallest and the largest share that can be stated.
        fpir: the share of unknown people who may be taken for somebody (false positive identification rate).
        far: the false-accept rate of one comparison that comes to it in this gallery; nan in an empty one.
        measured: whether ``far`` lies where the models are calibrated; else it is extrapolated.
        n_subjects: subjects with templates that could be compared.
        n_comparisons: single comparisons that a search is worth.
        indexes: of each model's templates, by its label, where these named the subjects that were compared; empty where
            all were.
    """

    subject: tuple[str | None, ...]
    nearest: tuple[str | None, ...]
    distance: NDArray[np.float64]
    threshold: NDArray[np.float64]
    chance: NDArray[np.float64]
    chance_range: tuple[float, float]
    fpir: float
    far: float
    measured: bool
    n_subjects: int
    n_comparisons: int
    indexes: dict[str, IndexState] = field(default_factory=dict)

    @classmethod
    def nobody(cls, n_probes: int, fpir: float) -> "Identities":
        """What an empty gallery says."""
        none, nan = (None,) * n_probes, np.full(n_probes, np.nan)
        return cls(none, none, nan, nan, nan, (math.nan, math.nan), fpir, math.nan, True, 0, 0)

    def meaning(self) -> str:
        """What a name, and what "unknown", is worth, for people."""
        if not self.n_subjects:
            return "the gallery has no templates to compare with"
        how = "" if self.measured else " (extrapolated: the model is not calibrated for so rare an error)"
        return (
            f"about 1 in {_times(self.fpir)} unknown people would be taken for one of {self.n_subjects:,} subjects; "
            f"for that a single comparison may err once in {_times(self.far)}{how}"
        )


def comparison_far(fpir: float, n_comparisons: int) -> float:
    """The false-accept rate of one comparison at which a search of ``n_comparisons`` errs at rate ``fpir``.

    The comparisons count as independent: 1 - (1 - far)^n = fpir. They are not quite, which makes the search err less.

    Raises:
        InputError: a rate outside (0, 1).
    """
    if not 0.0 < fpir < 1.0:
        raise InputError(f"fpir: expected a rate between 0 and 1, such as 0.01, got {fpir}")
    return -math.expm1(math.log1p(-fpir) / n_comparisons)


def identify(
    probes: NDArray[np.float32],
    sets: Sequence[Prototypes],
    census: Census,
    names_of: Callable[[NDArray[np.int64]], dict[int, str]],
    *,
    fpir: float = FPIR,
) -> Identities:
    """The subject of each probe by the nearest prototype, or nobody.

    Args:
        probes: float32 unit rows of bytes, as they would be stored, shape (N, D).
        sets: the prototypes that may be the nearest, of each pair of models.
        census: of all there are.
        names_of: the names of subjects, by id.
        fpir: the share of different people who may be taken for somebody of the gallery, whatever its size.

    Raises:
        InputError: a rate outside (0, 1).
    """
    comparison_far(fpir, 1)
    if not sets:
        return Identities.nobody(len(probes), fpir)
    n = census.n_comparisons
    far = comparison_far(fpir, n)
    subject_id, distance, threshold, log_far = _nearest(probes, sets, far)
    ends = max(s.curve.log_fars[0] for s in sets), min(s.curve.log_fars[-1] for s in sets)
    low, high = (float(c) for c in _chance(np.array(ends), n))
    names = names_of(subject_id)
    nearest = tuple(names[int(i)] for i in subject_id)
    near = distance <= threshold
    return Identities(
        subject=tuple(name if is_near else None for name, is_near in zip(nearest, near, strict=True)),
        nearest=nearest,
        distance=distance,
        threshold=threshold,
        chance=np.clip(_chance(log_far, n), low, high),
        chance_range=(low, high),
        fpir=fpir,
        far=far,
        measured=all(_is_measured(prototypes, far) for prototypes in sets),
        n_subjects=census.n_subjects,
        n_comparisons=n,
        indexes=census.indexes,
    )


def _nearest(probes: NDArray[np.float32], sets: Sequence[Prototypes], far: float) -> Iterator[NDArray[Any]]:
    """The nearest subject of each probe by the rates that distances stand for: ids, distances, thresholds, log FARs."""
    columns = []
    for one in sets:
        place, distance = one.nearest(probes)
        threshold = np.full(len(probes), one.curve.distance(far))
        columns.append((one.subject_id[place], distance, threshold, one.curve.log_far(distance)))
    subject_id, distance, threshold, log_far = map(np.stack, zip(*columns, strict=True))
    best = np.lexsort((subject_id, distance, log_far), axis=0)[:1]
    for column in (subject_id, distance, threshold, log_far):
        yield np.take_along_axis(column, best, axis=0)[0]


def _chance(log_far: NDArray[np.float64], n_comparisons: int) -> NDArray[np.float64]:
    """Of one of so many comparisons going wrong."""
    return np.asarray(-np.expm1(n_comparisons * np.log1p(-np.minimum(10**log_far, 1 - 1e-15))))


def _is_measured(prototypes: Prototypes, far: float) -> bool:
    curve = prototypes.curve
    return bool(curve.log_fars[0] - 1e-9 <= math.log10(far) <= curve.log_fars[-1] + 1e-9)


def _times(rate: float) -> str:
    """0.01 -> "100"; two digits are enough, since a rate is no more exact than that."""
    times = 1.0 / rate
    digits = max(0, int(math.log10(times)) - 1)
    return f"{round(times / 10**digits) * 10**digits:,}"
