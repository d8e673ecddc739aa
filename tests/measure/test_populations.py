from pathlib import Path

import numpy as np
import pytest

from facespace.errors import ModelError
from facespace.measure.calibration import PER_AGE, balanced, measure_populations
from facespace.measure.unnamed_faces import HeldOut, UnnamedFaces, open_unnamed, read_held_out
from facespace.models import FARS, ModelSpec, common_threshold, far_key
from measure.experiments.test_false_accepts import context_of_pixels, write_faces


def faces(ages: list[int], origins: list[str]) -> UnnamedFaces:
    files = tuple(f"a/{i:05}.png" for i in range(len(ages)))
    return UnnamedFaces(Path(), files, {"age": tuple(map(str, ages)), "group": tuple(origins)})


def held(of: UnnamedFaces, chosen: np.ndarray) -> HeldOut:
    return HeldOut(of, chosen, np.zeros((len(chosen), 1), np.float32), 0)


def test_no_faces_are_balanced() -> None:
    assert balanced(held(faces([], []), np.zeros(0, np.int64))).tolist() == []


def test_each_age_has_as_many_faces_and_each_origin_its_share() -> None:
    ages = [5] * 700 + [30] * 3000
    origins = ["Asian"] * 100 + ["White"] * 600 + ["Asian"] * 1000 + ["Black"] * 1000 + ["White"] * 1000
    of = faces(ages, origins)
    taken = balanced(held(of, np.arange(3700)))
    assert len(set(taken.tolist())) == len(taken) == 2 * PER_AGE
    young, origin = taken < 700, np.array(origins)[taken]
    assert young.sum() == PER_AGE
    # The rare origin is taken whole, the common ones share the rest.
    assert (origin[young] == "Asian").sum() == 100
    assert all((origin[~young] == name).sum() == PER_AGE // 3 for name in ("Asian", "Black", "White"))


def test_only_chosen_faces_take_part() -> None:
    of = faces([5, 5, 5, 70], ["Asian", "Black", "Asian", "White"])
    assert balanced(held(of, np.array([1, 3]))).tolist() == [0, 1]


def test_distances_are_those_of_all_pairs_of_held_out_faces(tmp_path: Path) -> None:
    root = write_faces(tmp_path / "faces" / "more", ["5"] * 110 + ["30"] * 110, origin="Asian")
    context = context_of_pixels()
    found = measure_populations(read_held_out(root, context))
    of = open_unnamed(root)
    chosen = np.flatnonzero(of.held_out)
    assert 45 < len(chosen) < 80
    rows = context.embedder.embed(of.crops(chosen))
    distance = (2 - 2 * rows @ rows.T)[np.triu_indices(len(chosen), 1)]
    assert (
        (distance <= found["mixed"]["1e-2"]).mean()
        <= 1e-2
        < (distance <= found["mixed"]["1e-2"] + 0.1).mean()
    )
    # Too few pairs for the rarer rates, and too few faces for figures of a group.
    assert found["mixed"]["1e-4"] is None and set(found["mixed"]) == set(map(far_key, FARS))
    assert set(found["strictest-group"].values()) == {None}


def test_a_spec_has_the_distances_of_the_population_asked_for() -> None:
    spec = ModelSpec(
        "m", "1", "embedder", (112, 112), distances={"1e-3": 0.9},
        populations={"mixed": {"1e-3": 0.9}, "strictest-group": {"1e-3": 0.5}},
    )  # fmt: skip
    assert spec.on_population(None) is spec
    strict = spec.on_population("strictest-group")
    assert common_threshold(strict, strict, 1e-3) == 0.5
    with pytest.raises(
        ModelError, match=r"one of its populations \(mixed, strictest-group\), got 'children'"
    ):
        spec.on_population("children")
    with pytest.raises(ModelError, match="none: run `facespace models calibrate`"):
        ModelSpec("m", "1", "embedder", (112, 112)).on_population("mixed")
