"""Means over splits, draws or collections, with the standard error of the mean."""

from collections.abc import Sequence

import numpy as np


def mean_and_se(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """Mean and standard error (sample deviation over the root of their number).

    Both are None where a value is not known or there are none; the error is None of a single value.
    """
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None, None
    se = float(np.std(known, ddof=1) / np.sqrt(len(known))) if len(known) > 1 else None
    return float(np.mean(known)), se
