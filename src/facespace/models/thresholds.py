"""The one way from a false-accept rate to a distance."""

import math
from collections.abc import Mapping
from statistics import NormalDist

from facespace.errors import InputError, ModelError
from facespace.models.spec import ModelSpec, common_distances, far_key


def common_threshold(a: ModelSpec, b: ModelSpec, far: float) -> float:
    """May embeddings of two models be compared, and up to which distance are they the same person at ``far``?

    Args:
        a: a model, and
        b: another one, or the same.
        far: a rate between the smallest and the largest that was calibrated.

    Raises:
        InputError: a rate outside (0, 1).
        IncompatibleModelsError: two models, neither of which declares compatibility with the other.
        ModelError: the rate lies beyond those that were calibrated.
    """
    _check_rate(far)
    distances = common_distances(a, b)
    known = [key for key, distance in distances.items() if distance is not None]
    exact = distances.get(far_key(far))
    if exact is None and not (known and min(map(float, known)) <= far <= max(map(float, known))):
        who = a.label if a.sha256 == b.sha256 else f"{a.label} with {b.label}"
        met = (
            f"expected a rate between those that were calibrated: {', '.join(known)}"
            if known
            else "it is not calibrated"
        )
        raise ModelError(f"{who}: no threshold at FAR {far:g}, {met}")
    return distance_at(distances, far)[0] if exact is None else exact


def distance_at(distances: Mapping[str, float | None], far: float) -> tuple[float, bool]:
    """The distance at any FAR, and whether it is extrapolated.

    The logarithm of the distance is close to linear in the normal quantile of the rate: between two calibrated rates
    it is interpolated so, beyond them it follows the line through the last two.

    Args:
        distances: at each FAR, as a ModelSpec holds them.
        far: any rate.

    Raises:
        InputError: a rate outside (0, 1).
        ModelError: fewer than two distances are known.
    """
    _check_rate(far)
    known = sorted((float(key), value) for key, value in distances.items() if value)
    exact = distances.get(far_key(far))
    if exact and math.isclose(float(far_key(far)), far):
        return float(exact), False
    if len(known) < 2:
        raise ModelError(
            "expected distances at two or more false-accept rates; run `facespace models calibrate`"
        )
    quantile = NormalDist().inv_cdf
    above = min(max(1, sum(rate < far for rate, _ in known)), len(known) - 1)
    (low_far, low), (high_far, high) = known[above - 1], known[above]
    slope = (math.log(high) - math.log(low)) / (quantile(high_far) - quantile(low_far))
    value = math.exp(math.log(low) + slope * (quantile(far) - quantile(low_far)))
    return min(4.0, value), not known[0][0] <= far <= known[-1][0]


def _check_rate(far: float) -> None:
    if not 0.0 < far < 1.0:
        raise InputError(f"far: expected a rate in (0, 1) such as 1e-3, got {far}")
