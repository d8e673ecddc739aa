"""What a run learns from: pictures, and what a teacher and an older model make of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError
from facespace.training.data import Faces, open_faces
from facespace.training.distillation import TeacherTargets, ask_teacher
from facespace.training.frozen import FrozenModel, ask_once, digest_of
from facespace.training.networks import make_network
from facespace.training.parallel import World
from facespace.training.recipe import Recipe
from facespace.workers import Workers

GIGABYTE = 2**30

OpenModel = Callable[[Path], FrozenModel]
OnAsked = Callable[[int, int], None]  # (pictures done, pictures in all)


@dataclass(frozen=True)
class OldVersion:
    """An older model, v1, on the faces of a run.

    Attributes:
        sha256: of its weights.
        rows: its unit rows of the training faces as a gallery would hold them, shape (N, D).
        watched: of the watched faces, shape (M, D); None where nothing is watched.
    """

    sha256: str
    rows: NDArray[np.float32]
    watched: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Material:
    """What a run learns from.

    Attributes:
        faces: to train on.
        watched: of other identities, embedded after each epoch to follow the run.
        targets: a teacher's embeddings of the faces, where the recipe has a teacher.
        old: an older version's embeddings of all of them, where the recipe has one.
    """

    faces: Faces
    watched: Faces | None = None
    targets: TeacherTargets | None = None
    old: OldVersion | None = None


def open_material(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    open_model: OpenModel | None = None,
    on_asked: OnAsked = lambda done, total: None,
    workers: Workers | None = None,
) -> Material:
    """Read the pictures, and embed them by the teacher and the older version, once.

    Args:
        recipe: its paths are below ``data``.
        data: the data folder.
        out: the run folder; embeddings by other models are kept beside it, in `targets/`, for other runs too.
        open_model: makes an embedder of a model file, for recipes with a teacher or an older version.
        on_asked: called with (done, total) as these models embed pictures.
        workers: who embeds by them; all cores of this machine when None.

    Raises:
        DataError: pictures or models are not as expected.
    """
    teacher = _open(recipe.distillation.teacher, data, open_model)
    old = _open(recipe.harmonic.old, data, open_model)
    _check_models(recipe, teacher, old)
    own_hw: tuple[int, int] = make_network(recipe).input_hw  # type: ignore[assignment]
    # Other models may see more than the network does: one that is first trained on small pictures, for instance.
    sizes_hw = [own_hw, *(model.spec.input_hw for model in (teacher, old) if model is not None)]
    height, width = (max(sides) for sides in zip(*sizes_hw, strict=True))
    faces, watched = _open_faces(recipe, data, (height, width))
    targets = of_old = None
    cache, world = out.parent / "targets", World.current()
    if not world.first:  # one process asks, the others read what it kept
        world.wait()
    if teacher is not None:
        n_blends, seed = recipe.distillation.n_blends, recipe.seed
        targets = ask_teacher(
            teacher, faces, cache, n_blends=n_blends, seed=seed, on_asked=on_asked, workers=workers
        )
    if old is not None:
        of_old = ask_old_version(old, faces, watched, cache, on_asked=on_asked, workers=workers)
    if world.first:
        world.wait()
    return Material(faces, watched, targets, of_old)


def ask_old_version(
    model: FrozenModel,
    faces: Faces,
    watched: Faces | None,
    cache: Path,
    *,
    on_asked: OnAsked = lambda done, total: None,
    workers: Workers | None = None,
) -> OldVersion:
    """Embed all faces by the older model, once; later runs read ``cache``, a folder."""
    total = len(faces) + len(watched or ())

    def rows(of: Faces, before: int) -> NDArray[np.float32]:
        path = cache / f"old-{digest_of(model, of, str(of.size_hw))}.npy"
        return ask_once(
            path,
            model,
            of.crops,
            len(of),
            flip=False,
            on_done=lambda done: on_asked(before + done, total),
            workers=workers,
        )

    of_faces = rows(faces, 0)
    return OldVersion(model.spec.sha256, of_faces, None if watched is None else rows(watched, len(faces)))


def _open_faces(recipe: Recipe, data: Path, size_hw: tuple[int, int]) -> tuple[Faces, Faces | None]:
    chosen, cache_bytes = recipe.data, int(recipe.data.cache_gb * GIGABYTE)
    faces, watched = open_faces(data / chosen.train, size_hw=size_hw), None
    if chosen.dev_every:
        faces, watched = faces.split(chosen.dev_every)
    elif chosen.validation:
        watched = open_faces(data / chosen.validation, size_hw=size_hw)
    # What takes no part is not decoded.
    return faces.of_several(chosen.least_faces).decoded(cache_bytes), watched and watched.decoded(cache_bytes)


def _open(name: str, data: Path, open_model: OpenModel | None) -> FrozenModel | None:
    if not name:
        return None
    if open_model is None:
        raise DataError(f"the recipe names {name}: expected open_model, got nothing that opens a model")
    return open_model(data / name)


def _check_models(recipe: Recipe, teacher: FrozenModel | None, old: FrozenModel | None) -> None:
    if teacher is not None and recipe.distillation.vectors and teacher.spec.dim != recipe.dim:
        raise DataError(
            f"[distillation] the teacher {teacher.spec.label} has {teacher.spec.dim} dimensions, expected the "
            f"recipe's dim = {recipe.dim}; set dim to the teacher's, or vectors = 0 and relations to more than 0"
        )
    if old is not None and old.spec.dim != recipe.dim:
        raise DataError(
            f"[harmonic] the older model {old.spec.label} has {old.spec.dim} dimensions, expected the recipe's "
            f"dim = {recipe.dim}: only embeddings of one dimension can be compared; set dim to {old.spec.dim}"
        )
    if old is not None and old.spec.alignment != recipe.alignment:
        raise DataError(
            f"[harmonic] the older model {old.spec.label} takes faces of alignment '{old.spec.alignment}', expected "
            f"the recipe's '{recipe.alignment}', as the training pictures have it"
        )
