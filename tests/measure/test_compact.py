import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facespace.errors import InputError
from facespace.measure.experiments.bytes import MAX_STEP, compact_forms, few_bits, fit_rotation
from fakes import SPEC


def unit_rows(rng: np.random.Generator, n: int, dim: int = 128) -> np.ndarray:
    rows = rng.normal(size=(n, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def few_bits_slowly(row: np.ndarray, bits: int) -> np.ndarray:
    """The nearest of the even levels, component by component."""
    step = MAX_STEP[bits] / np.sqrt(len(row))
    levels = [(k + 0.5) * step for k in range(-(2 ** (bits - 1)), 2 ** (bits - 1))]
    nearest = np.array([min(levels, key=lambda level: abs(level - float(x))) for x in row])
    return nearest / np.linalg.norm(nearest)


@given(seed=st.integers(0, 10_000), bits=st.sampled_from([2, 4]))
def test_few_bits_are_the_nearest_levels(seed: int, bits: int) -> None:
    row = unit_rows(np.random.default_rng(seed), 1, 16)
    assert np.allclose(few_bits(row, bits)[0], few_bits_slowly(row[0], bits), atol=1e-6)


@pytest.mark.parametrize("bits", [0, 1, 3, 8])
def test_other_numbers_of_bits_are_refused(rng: np.random.Generator, bits: int) -> None:
    with pytest.raises(InputError, match="2 or 4"):
        few_bits(unit_rows(rng, 1), bits)


def test_a_rotation_keeps_the_distances_of_rows_that_lie_in_its_plane(rng: np.random.Generator) -> None:
    plane = np.linalg.qr(rng.normal(size=(128, 8)))[0]
    rows = (unit_rows(rng, 50, 8) @ plane.T).astype(np.float32)
    turned = rows @ fit_rotation(rows, 8)
    assert np.allclose(turned @ turned.T, rows @ rows.T, atol=1e-5)


@pytest.mark.parametrize("dim", [0, 129])
def test_a_rotation_needs_a_dimension_that_is_there(rng: np.random.Generator, dim: int) -> None:
    with pytest.raises(InputError, match="1 to 128"):
        fit_rotation(unit_rows(rng, 10), dim)


def test_the_forms_take_what_they_say_and_lose_the_more_the_smaller_they_are(
    rng: np.random.Generator,
) -> None:
    training, rows = unit_rows(rng, 400), unit_rows(rng, 100)
    forms = compact_forms(dataclasses.replace(SPEC, byte_scale=299.3), training)
    assert [form.n_bytes for form in forms] == [512, 128, 64, 64, 32, 32]
    gram = rows @ rows.T
    errors = {}
    for form in forms:
        stored = form.apply(rows)
        assert np.allclose(np.linalg.norm(stored, axis=1), 1.0, atol=1e-5)
        errors[form.name] = float(np.abs(stored @ stored.T - gram).mean())
    assert errors["128 floats"] == 0.0 < errors["128 x 1 byte"] < 2e-3
    assert errors["128 x 4 bits"] < errors["128 x 2 bits"]


def test_a_model_without_a_byte_form_has_none_here(rng: np.random.Generator) -> None:
    forms = compact_forms(dataclasses.replace(SPEC, byte_scale=0.0), unit_rows(rng, 200))
    assert "128 x 1 byte" not in [form.name for form in forms]
