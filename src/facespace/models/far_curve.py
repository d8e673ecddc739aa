"""Which false-accept rate a distance stands for: the one scale on which hits of different models are ordered."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError, ModelError
from facespace.models.spec import ModelSpec, common_distances


@dataclass(frozen=True)
class FarCurve:
    """log10 FAR as a function of distance, for one pair of models.

    Straight lines through the calibrated distances, since the tail of impostor distances falls about exponentially;
    above them on to (4, FAR 1), which holds of any model; below them the lowest line goes on. Outside the calibrated
    distances a rate is an extension, good for order and not to be stated.

    Attributes:
        distances: calibrated, increasing, at least one.
        log_fars: log10 of the FAR of each, increasing.
    """

    distances: tuple[float, ...]
    log_fars: tuple[float, ...]

    def log_far(self, distance: NDArray[np.floating] | float) -> NDArray[np.float64]:
        """log10 of the FAR that each distance stands for; increases strictly with the distance up to 4."""
        d = np.asarray(distance, np.float64)
        x, y = np.array([*self.distances, 4.0]), np.array([*self.log_fars, 0.0])
        slope = (y[1] - y[0]) / (x[1] - x[0])
        return np.where(d < x[0], y[0] + slope * (d - x[0]), np.interp(d, x, y))

    def distance(self, far: float) -> float:
        """The largest distance that stands for at most this rate; 0 where the lowest line says below it.

        Raises:
            InputError: a rate outside (0, 1].
        """
        if not 0.0 < far <= 1.0:
            raise InputError(f"far: expected a rate in (0, 1], got {far}")
        x, y = np.array([*self.distances, 4.0]), np.array([*self.log_fars, 0.0])
        log_far = math.log10(far)
        if log_far < y[0]:
            return max(0.0, float(x[0] + (log_far - y[0]) * (x[1] - x[0]) / (y[1] - y[0])))
        return float(np.interp(log_far, y, x))


def far_curve(a: ModelSpec, b: ModelSpec) -> FarCurve:
    """The curve of comparing embeddings of ``a`` with embeddings of ``b``, or of one model with itself.

    Raises:
        IncompatibleModelsError: two models, neither of which declares compatibility with the other.
        ModelError: the pair is not calibrated, or its distances do not grow with the FAR from 0 to 4.
    """
    who = a.label if a.sha256 == b.sha256 else f"{a.label} with {b.label}"
    known = {float(key): d for key, d in common_distances(a, b).items() if d is not None}
    points = sorted(known.items())
    if not points:
        raise ModelError(f"{who}: expected distances at one FAR at least, the pair is not calibrated")
    distances = [d for _, d in points]
    if distances != sorted(distances) or not (distances[0] >= 0 and distances[-1] < 4):
        raise ModelError(f"{who}: expected distances in [0, 4) that grow with the FAR, met {dict(points)}")
    # Of rates with the same distance the largest is what it stands for.
    rates = {d: math.log10(far) for far, d in points}
    return FarCurve(tuple(rates), tuple(rates.values()))
