import pytest

from facespace.cluster import collection_threshold
from facespace.errors import InputError, ModelError
from facespace.models import distance_at

# Measured on 2,975 faces of 128 people, 4.4 million pairs of impostors, by two models.
MEASURED = [
    {"1e-2": 0.703, "1e-3": 0.44881, "1e-4": 0.29756, "1e-5": 0.20728, "1e-6": None},
    {"1e-2": 1.47435, "1e-3": 1.3062, "1e-4": 1.16956, "1e-5": 1.05504, "1e-6": None},
]


@pytest.mark.parametrize("distances", MEASURED)
def test_the_tail_foretells_a_rate_that_was_left_out(distances: dict[str, float | None]) -> None:
    value, extrapolated = distance_at({**distances, "1e-5": None}, 1e-5)
    assert extrapolated and value == pytest.approx(distances["1e-5"], rel=0.02)
    value, extrapolated = distance_at({**distances, "1e-3": None}, 1e-3)
    assert not extrapolated and value == pytest.approx(distances["1e-3"], rel=0.03)


@pytest.mark.parametrize("distances", MEASURED)
def test_larger_collections_are_stricter(distances: dict[str, float | None]) -> None:
    found = [collection_threshold(distances, n) for n in (2, 100, 5_001, 50_001, 500_001, 10**7)]
    assert [t.distance for t in found] == sorted((t.distance for t in found), reverse=True)
    assert [t.extrapolated for t in found] == [False, False, False, False, False, True]
    assert found[0].far == pytest.approx(7.5e-3)
    assert found[2].far == pytest.approx(1e-3) and found[2].distance == distances["1e-3"]
    assert found[3].n_pairs == 50_001 * 25_000 and found[3].false_pairs == pytest.approx(5 * 50_001 / 2)


def test_a_rate_may_be_named() -> None:
    found = collection_threshold(MEASURED[0], 10**6, far=1e-3)
    assert (found.distance, found.far, found.extrapolated) == (0.44881, 1e-3, False)


def test_what_cannot_be_known_is_refused() -> None:
    with pytest.raises(ModelError, match="calibrate"):
        collection_threshold({"1e-2": 1.0}, 10_000)
    for options in ({"impostors": 0.0}, {"far": 0.0}, {"far": float("nan")}):
        with pytest.raises(InputError, match="expected"):
            collection_threshold(MEASURED[0], 10, **options)
