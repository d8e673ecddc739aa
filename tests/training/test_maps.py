import numpy as np
import pytest

from embeddings import unit_rows
from facespace.errors import InputError
from facespace.training.maps import fit_maps


def test_a_rotation_is_found_by_every_map(rng: np.random.Generator) -> None:
    rows = unit_rows(rng, 3000, 8)
    turn = np.linalg.qr(rng.normal(size=(8, 8)))[0].astype(np.float32)
    maps = fit_maps(rows[:2000], rows[:2000] @ turn)
    assert list(maps) == ["rotation", "linear", "mlp"]
    for name, apply in maps.items():
        made = apply(rows[2000:])
        assert np.allclose(np.linalg.norm(made, axis=1), 1, atol=1e-5), name
        error = np.square(made - rows[2000:] @ turn).sum(1).mean()
        assert error < (1e-8 if name == "rotation" else 1e-3), name


def test_a_rotation_keeps_distances_and_a_linear_map_fits_better(rng: np.random.Generator) -> None:
    source = unit_rows(rng, 2000, 6)
    target = source * np.array([3, 1, 1, 1, 1, 0.2], np.float32)
    target /= np.linalg.norm(target, axis=1, keepdims=True)
    maps = fit_maps(source, target)
    turned = maps["rotation"](source)
    assert np.allclose(turned @ turned.T, source @ source.T, atol=1e-4)
    errors = {name: float(np.square(apply(source) - target).sum(1).mean()) for name, apply in maps.items()}
    assert errors["mlp"] < errors["linear"] < errors["rotation"]


def test_spaces_of_other_dimensions_and_other_faces(rng: np.random.Generator) -> None:
    source, target = unit_rows(rng, 300, 6), unit_rows(rng, 300, 4)
    maps = fit_maps(source, target)
    assert set(maps) == {"linear", "mlp"} and maps["linear"](source).shape == (300, 4)
    with pytest.raises(InputError, match="same faces by both models, got 300 and 299"):
        fit_maps(source, target[1:])
