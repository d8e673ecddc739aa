import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facespace.errors import IncompatibleModelsError, ModelError
from facespace.models import ModelSpec, far_curve

SPEC = ModelSpec(
    "tiny", "1", "embedder", (8, 8), sha256="a" * 64, distances={"1e-2": 1.2, "1e-3": 0.9, "1e-6": None}
)
NEWER = dataclasses.replace(SPEC, sha256="b" * 64, compatible_with={SPEC.sha256: {"1e-3": 0.7}})


@pytest.mark.parametrize(
    ("distance", "far"),
    [(1.2, 1e-2), (0.9, 1e-3), (1.05, 10**-2.5), (0.6, 1e-4), (4.0, 1.0), (2.6, 0.1)],
    ids=["calibrated", "calibrated lower", "between", "below", "all", "above"],
)
def test_rates_lie_on_straight_lines_through_the_calibrated_ones(distance: float, far: float) -> None:
    assert far_curve(SPEC, SPEC).log_far(distance) == pytest.approx(math.log10(far))


def test_a_pair_has_its_own_curve_whichever_way_round() -> None:
    assert far_curve(SPEC, NEWER) == far_curve(NEWER, SPEC)
    assert far_curve(SPEC, NEWER).log_far(0.7) == pytest.approx(-3)
    assert far_curve(SPEC, NEWER).log_far(0.7 / 2) == pytest.approx(-3 - 3 * 0.35 / 3.3)


def test_of_two_rates_with_one_distance_the_larger_counts() -> None:
    curve = far_curve(*[dataclasses.replace(SPEC, distances={"1e-3": 0.9, "1e-4": 0.9, "1e-2": 1.0})] * 2)
    assert curve.log_far(0.9) == pytest.approx(-3)


@pytest.mark.parametrize(
    "distances", [{}, {"1e-2": None}, {"1e-2": 0.5, "1e-3": 0.6}, {"1e-2": 4.0}, {"1e-2": -0.1}]
)
def test_distances_that_make_no_curve_are_an_error_that_names_the_model(
    distances: dict[str, float | None],
) -> None:
    spec = dataclasses.replace(SPEC, distances=distances)
    with pytest.raises(ModelError, match="tiny 1"):
        far_curve(spec, spec)


def test_incompatible_models_have_no_curve() -> None:
    with pytest.raises(IncompatibleModelsError):
        far_curve(SPEC, dataclasses.replace(SPEC, sha256="c" * 64))


@given(
    st.dictionaries(
        st.sampled_from(["1e-2", "1e-3", "1e-4", "1e-5"]), st.floats(0.01, 3.9), min_size=1, max_size=4
    ),
    st.lists(st.floats(0, 4), min_size=2, max_size=20),
)
def test_a_larger_distance_never_stands_for_a_smaller_rate(
    distances: dict[str, float], asked: list[float]
) -> None:
    ordered = dict(zip(sorted(distances, key=float), sorted(distances.values()), strict=True))
    spec = dataclasses.replace(SPEC, distances=ordered)
    rates = far_curve(spec, spec).log_far(np.sort(asked))
    assert np.all(np.diff(rates) >= 0) and rates[-1] <= 0
