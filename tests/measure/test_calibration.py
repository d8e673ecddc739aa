"""What calibration writes, on versions of one space that are made up, where the right answers are known."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from facespace.errors import IncompatibleModelsError, InputError
from facespace.measure.calibration import declare_compatible, mixed_points
from facespace.measure.faces import EmbeddedFaces
from facespace.models import common_threshold, find_model, read_spec

N_PEOPLE, N_EACH, DIM = 60, 20, 32


def space(noise: float, *, seed: int) -> EmbeddedFaces:
    """People at fixed places, each face off by ``noise``."""
    places = np.random.default_rng(7).normal(size=(N_PEOPLE, DIM))
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(N_PEOPLE), N_EACH)
    rows = places[labels] + noise * rng.normal(size=(len(labels), DIM))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return EmbeddedFaces(rows.astype(np.float32), labels, tuple(f"p{i:02}" for i in range(N_PEOPLE)))


OLD, NEW = space(1.2, seed=1), space(0.7, seed=2)


def test_the_newer_model_says_whom_it_may_meet(tmp_path: Path) -> None:
    model = tmp_path / "new.onnx"
    model.write_bytes(find_model(None, "embedder").read_bytes())
    old = dataclasses.replace(read_spec(model), sha256="0" * 64, name="old", distances={})
    with pytest.raises(IncompatibleModelsError):
        common_threshold(read_spec(model), old, 1e-2)
    declare_compatible(model, read_spec(model), NEW, other=old, of_other=OLD)
    written = read_spec(model)
    for first, second in ((written, old), (old, written)):
        assert common_threshold(first, second, 1e-2) == pytest.approx(
            mixed_points(NEW, OLD)["1e-2"].threshold, abs=1e-5
        )
    assert written.options["tar_mixed"][old.sha256] == mixed_points(NEW, OLD)["1e-3"].tar
    d = 2 - 2 * NEW.embeddings @ OLD.embeddings.T
    different = d[NEW.labels[:, None] != OLD.labels[None]]
    assert (different <= mixed_points(NEW, OLD)["1e-2"].threshold).mean() == pytest.approx(1e-2, rel=0.02)
    with pytest.raises(InputError, match="same faces by both"):
        mixed_points(NEW, EmbeddedFaces(OLD.embeddings[1:], OLD.labels[1:], OLD.identities))
