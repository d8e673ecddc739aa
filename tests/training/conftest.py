"""A network trained by the smoke recipe on real faces, once for all tests that need one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from facespace.training.data import Faces, open_faces
from facespace.training.loop import Trainer
from facespace.training.material import Material
from facespace.training.recipe import Recipe, read_recipe
from facespace.training.run_folder import RunFolder

SMOKE = read_recipe(Path(__file__).parents[2] / "recipes" / "smoke.toml")
CACHE_BYTES = 2**32
SIDE = (SMOKE.input_px, SMOKE.input_px)

TrainSmoke = Callable[[Recipe, Faces, Path], float]


@pytest.fixture(autouse=True)
def without_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing them takes longer than an epoch of a test; `test_loop.run`, of a wider scope, has them."""
    monkeypatch.setattr(RunFolder, "_draw_curves", lambda *_: None)
    monkeypatch.setattr(RunFolder, "_log", lambda *_: None)


@pytest.fixture(scope="session")
def smoke_faces(data: Path) -> Faces:
    faces = open_faces(data / SMOKE.data.train, size_hw=SIDE)
    return faces.of_several(SMOKE.data.least_faces).decoded(CACHE_BYTES)


@pytest.fixture(scope="session")
def smoke_watched(data: Path) -> Faces:
    return open_faces(data / SMOKE.data.validation, size_hw=SIDE).decoded(CACHE_BYTES)


@pytest.fixture(scope="session")
def train_smoke(smoke_watched: Faces) -> TrainSmoke:
    """Trains a recipe on faces into a folder; VAL at FAR 1e-3 at its end."""
    return lambda recipe, faces, out: Trainer(recipe, Material(faces, smoke_watched), out).run()[-1].tar


@pytest.fixture(scope="session")
def smoke_run(
    train_smoke: TrainSmoke, smoke_faces: Faces, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, float]:
    """The recipe's run folder and its VAL."""
    out = tmp_path_factory.mktemp("smoke")
    return out, train_smoke(SMOKE, smoke_faces, out)
