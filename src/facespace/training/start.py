"""From a recipe and a data folder to a run that is ready to go."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from facespace.errors import DataError
from facespace.training.data import Faces, open_faces
from facespace.training.distillation import Lessons, prepare_lessons
from facespace.training.frozen import FrozenModel
from facespace.training.loop import Trainer, make_network
from facespace.training.old_version import OldVersion, ask_old_version
from facespace.training.parallel import World
from facespace.training.recipe import Recipe

__all__ = ["Material", "OpenModel", "open_material", "open_run", "trainer_of"]

GIGABYTE = 2**30

OpenModel = Callable[[Path], FrozenModel]


@dataclass(frozen=True)
class Material:
    """What a run learns from.

    Attributes:
        faces: to train on.
        watched: of other identities, to follow the run by.
        lessons: a teacher's embeddings of the faces, if there is a teacher.
        old: an older version's embeddings of all of them, if there is one.
    """

    faces: Faces
    watched: Faces | None = None
    lessons: Lessons | None = None
    old: OldVersion | None = None


def open_run(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    init: Path | None = None,
    resume: bool = False,
    device: str = "cpu",
    open_model: OpenModel | None = None,
    on_lesson: Callable[[int, int], None] | None = None,
) -> Trainer:
    """Read the pictures, ask the teacher if there is one, and open the run folder.

    Args:
        recipe: what to train and how.
        data: the recipe's paths are below it.
        out: the run folder; what other models say is kept beside it, in `lessons/`, for other runs.
        init: a finished run folder whose weights the network begins with.
        resume: go on from the folder's checkpoint; it holds the weights, so that ``init`` is not looked at.
        device: torch's name of it.
        open_model: makes an embedder of a model file, for recipes with a teacher or an older version.
        on_lesson: follows what is asked of such models, called with (done, total).

    Raises:
        DataError: pictures, models or run folders are not as expected.
    """
    material = open_material(recipe, data, out.parent / "lessons", open_model=open_model, on_lesson=on_lesson)
    return trainer_of(recipe, material, out, init=init, resume=resume, device=device)


def trainer_of(
    recipe: Recipe,
    material: Material,
    out: Path,
    *,
    init: Path | None = None,
    resume: bool = False,
    device: str = "cpu",
) -> Trainer:
    """A run on material that was opened before; as `open_run`."""
    return Trainer(
        recipe,
        material.faces,
        out,
        validation=material.watched,
        lessons=material.lessons,
        old=material.old,
        init=init,
        resume=resume,
        device=device,
    )


def open_material(
    recipe: Recipe,
    data: Path,
    cache: Path,
    *,
    open_model: OpenModel | None = None,
    on_lesson: Callable[[int, int], None] | None = None,
) -> Material:
    """Read the pictures, and ask the teacher and the older version about them, once: the answers stay in ``cache``.

    Raises:
        DataError: pictures or models are not as expected.
    """
    teacher = _open(recipe.distillation.teacher, data, open_model)
    old = _open(recipe.harmonic.old, data, open_model)
    _check_models(recipe, teacher, old)
    size_hw: tuple[int, int] = make_network(recipe).input_hw  # type: ignore[assignment]
    for model in filter(
        None, (teacher, old)
    ):  # it may see more than the network: one trained small first, say
        size_hw = (max(size_hw[0], model.spec.input_hw[0]), max(size_hw[1], model.spec.input_hw[1]))
    faces, watched = _open_faces(recipe, data, size_hw)
    lessons = of_old = None
    world = World.current()
    if not world.first:  # one process asks, the others read what it kept
        world.wait()
    if teacher is not None:
        n_blends, seed = recipe.distillation.n_blends, recipe.seed
        lessons = prepare_lessons(teacher, faces, cache, n_blends=n_blends, seed=seed, on_face=on_lesson)
    if old is not None:
        of_old = ask_old_version(old, faces, watched, cache, on_face=on_lesson)
    if world.first:
        world.wait()
    return Material(faces, watched, lessons, of_old)


def _open_faces(recipe: Recipe, data: Path, size_hw: tuple[int, int]) -> tuple[Faces, Faces | None]:
    chosen, cache_bytes = recipe.data, int(recipe.data.cache_gb * GIGABYTE)
    faces, watched = open_faces(data / chosen.train, size_hw=size_hw, cache_bytes=cache_bytes), None
    if chosen.dev_every:
        faces, watched = faces.split(chosen.dev_every)
    elif chosen.validation:
        watched = open_faces(data / chosen.validation, size_hw=size_hw, cache_bytes=cache_bytes)
    return faces.of_several(chosen.least_faces), watched


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
