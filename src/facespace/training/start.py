"""From a recipe and a data folder to a run that is ready to go."""

from collections.abc import Callable
from pathlib import Path

from facespace.errors import DataError
from facespace.training.data import Faces, open_faces
from facespace.training.distillation import Lessons, Teacher, prepare_lessons
from facespace.training.loop import Trainer, make_network
from facespace.training.parallel import World
from facespace.training.recipe import Recipe

__all__ = ["open_run"]

GIGABYTE = 2**30


def open_run(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    init: Path | None = None,
    resume: bool = False,
    device: str = "cpu",
    open_teacher: Callable[[Path], Teacher] | None = None,
    on_lesson: Callable[[int, int], None] | None = None,
) -> Trainer:
    """Read the pictures, ask the teacher if there is one, and open the run folder.

    Args:
        recipe: what to train and how.
        data: the recipe's paths are below it.
        out: the run folder; the teacher's answers are kept beside it, in `lessons/`, for other runs.
        init: a finished run folder whose weights the network begins with.
        resume: go on from the folder's checkpoint; it holds the weights, so that ``init`` is not looked at.
        device: torch's name of it.
        open_teacher: makes an embedder of a model file, for recipes that have a teacher.
        on_lesson: follows the teacher, called with (done, total).

    Raises:
        DataError: pictures, teacher or run folders are not as expected.
    """
    size_hw: tuple[int, int] = make_network(recipe).input_hw  # type: ignore[assignment]
    teacher = _open_teacher(recipe, data, open_teacher)
    if teacher is not None:  # it may see more than the network: one that is trained small first, say
        size_hw = teacher.spec.input_hw
    cache_bytes = int(recipe.data.cache_gb * GIGABYTE)
    faces = open_faces(data / recipe.data.train, size_hw=size_hw, cache_bytes=cache_bytes)
    watched: Faces | None = None
    if recipe.data.dev_every:
        faces, watched = faces.split(recipe.data.dev_every)
    elif recipe.data.validation:
        watched = open_faces(data / recipe.data.validation, size_hw=size_hw, cache_bytes=cache_bytes)
    lessons = None
    if teacher is not None:
        world = World.current()
        if not world.first:  # one process asks, the others read what it kept
            world.wait()
        lessons = _ask(teacher, recipe, faces, out.parent / "lessons", on_lesson)
        if world.first:
            world.wait()
    return Trainer(
        recipe, faces, out, validation=watched, lessons=lessons, init=init, resume=resume, device=device
    )


def _open_teacher(
    recipe: Recipe, data: Path, open_teacher: Callable[[Path], Teacher] | None
) -> Teacher | None:
    if not recipe.distillation.teacher:
        return None
    if open_teacher is None:
        raise DataError("the recipe has a teacher: expected open_teacher, got nothing that opens one")
    return open_teacher(data / recipe.distillation.teacher)


def _ask(
    teacher: Teacher, recipe: Recipe, faces: Faces, cache: Path, on_lesson: Callable[[int, int], None] | None
) -> Lessons:
    if teacher.spec.dim != recipe.dim:
        raise DataError(
            f"[distillation] the teacher {teacher.spec.label} has {teacher.spec.dim} dimensions, expected the "
            f"recipe's dim = {recipe.dim}; set dim to the teacher's"
        )
    n_blends, seed = recipe.distillation.n_blends, recipe.seed
    return prepare_lessons(teacher, faces, cache, n_blends=n_blends, seed=seed, on_face=on_lesson)
