"""Make the parts one after the other, from the cache where their results still hold."""

import dataclasses
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import facespace
from facespace.errors import DataError, InputError
from facespace.reproduce.blocks import NOT_RUN, Result
from facespace.reproduce.cache import Cache
from facespace.reproduce.context import Context, Options
from facespace.reproduce.part import OnPicture, Part, not_run
from facespace.reproduce.parts import PARTS

__all__ = ["MadePart", "Report", "reproduce"]

Follow = Callable[[str], AbstractContextManager[OnPicture]]


@dataclass(frozen=True)
class MadePart:
    """A part and what it came to."""

    name: str
    title: str
    paper: str
    result: Result


@dataclass(frozen=True)
class Report:
    """Everything that the page shows.

    Attributes:
        version: of facespace.
        model: label of the embedder.
        model_sha256: of its weights.
        detector: label of the detector.
        training_data: what the embedder saw.
        quick: nothing was trained.
        budget: faces that each run of a trained sweep was to see.
        machine: processor and cores.
        parts: in the paper's order.
    """

    version: str
    model: str
    model_sha256: str
    detector: str
    training_data: str
    quick: bool
    budget: int
    machine: str
    parts: tuple[MadePart, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dataclasses.asdict(self)


def reproduce(
    options: Options,
    work: Path,
    *,
    only: Sequence[str] = (),
    follow: Follow = lambda _: nullcontext(lambda done, total: None),
    on_part: Callable[[MadePart], None] | None = None,
) -> Report:
    """Every table and figure of the paper, measured on the data at hand.

    Args:
        options: data, models and how much may be spent.
        work: folder for results and embeddings; a run that was stopped goes on from what is there.
        only: names of the parts to make; the others are shown as they are in ``work``.
        follow: opens something that shows progress under a title, such as a bar.
        on_part: called after each part.

    Raises:
        InputError: a part of no such name.
        DataError: data are missing.
        ModelError: no such model.
    """
    if unknown := sorted(set(only) - {part.name for part in PARTS}):
        raise InputError(f"part '{unknown[0]}': expected one of {', '.join(part.name for part in PARTS)}")
    if not options.data.is_dir():
        raise DataError(f"{options.data}: expected the data sets' folder, there is none")
    context = Context(options, Cache(work))
    made = []
    for part in PARTS:
        result = _made(part, context, follow) if not only or part.name in only else _kept(part, context)
        made.append(MadePart(part.name, part.title, part.paper, result))
        if on_part:
            on_part(made[-1])
    return Report(
        version=facespace.__version__,
        model=context.embedder.spec.label,
        model_sha256=context.embedder.spec.sha256,
        detector=context.detector.spec.label,
        training_data=context.embedder.spec.training_data,
        quick=options.quick,
        budget=options.budget,
        machine=f"{platform.machine()}, {_cores()}",
        parts=tuple(made),
    )


def _made(part: Part, context: Context, follow: Follow) -> Result:
    if kept := context.cache.result(part.name, _facts(part, context)):
        return kept
    started = time.monotonic()
    with follow(part.title) as on_picture:
        result = part.make(context, on_picture)
    result = dataclasses.replace(result, seconds=round(time.monotonic() - started, 1))
    if result.status != NOT_RUN:
        # The facts are asked for again, since making a part can make what it depends on.
        context.cache.keep_result(part.name, _facts(part, context), result)
    return result


def _kept(part: Part, context: Context) -> Result:
    kept = context.cache.result(part.name, _facts(part, context))
    return kept or not_run("Left out of this run.", remedy=f"facespace reproduce --only {part.name}")


def _facts(part: Part, context: Context) -> dict[str, Any]:
    return {"version": part.version, **context.facts(part.needs)}


def _cores() -> str:
    import os

    return f"{os.cpu_count()} cores"
