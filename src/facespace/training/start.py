"""From a recipe and a data folder to a run that is ready to go."""

from collections.abc import Callable
from pathlib import Path

from facespace.errors import DataError
from facespace.training.data import Faces, open_faces
from facespace.training.distillation import Lessons, Teacher, prepare_lessons
from facespace.training.loop import Trainer, make_network
from facespace.training.recipe import Recipe

__all__ = ["open_run"]

GIGABYTE = 2**30


def open_run(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
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
        resume: go on from the folder's checkpoint.
        device: torch's name of it.
        open_teacher: makes an embedder of a model file, for recipes that have a teacher.
        on_lesson: follows the teacher, called with (done, total).

    Raises:
        DataError: pictures, teacher or run folder are not as expected.
    """
    size_hw: tuple[int, int] = make_network(recipe).input_hw  # type: ignore[assignment]
    cache_bytes = int(recipe.data.cache_gb * GIGABYTE)
    faces = open_faces(data / recipe.data.train, size_hw=size_hw, cache_bytes=cache_bytes)
    watched: Faces | None = None
    if recipe.data.dev_every:
        faces, watched = faces.split(recipe.data.dev_every)
    elif recipe.data.validation:
        watched = open_faces(data / recipe.data.validation, size_hw=size_hw, cache_bytes=cache_bytes)
    lessons = None
    if recipe.distillation.teacher:
        if open_teacher is None:
            raise DataError("the recipe has a teacher: expected open_teacher, got nothing that opens one")
        teacher = open_teacher(data / recipe.distillation.teacher)
        lessons = _ask(teacher, recipe, faces, out.parent / "lessons", on_lesson)
    return Trainer(recipe, faces, out, validation=watched, lessons=lessons, resume=resume, device=device)


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
