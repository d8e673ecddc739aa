"""Experiments made one after the other, from the cache where their results still hold: the report's content."""

import dataclasses
import os
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facespace import __version__
from facespace.measure.cache import Cache
from facespace.measure.context import Context, Setup
from facespace.measure.embedding import OnStep
from facespace.measure.experiment import Experiment
from facespace.measure.registry import ENTRIES, Entry, entry
from facespace.measure.result import NOT_RUN, Result, not_run, plain

Follow = Callable[[str], AbstractContextManager[OnStep]]


@dataclass(frozen=True)
class Made:
    """An experiment and what it came to."""

    name: str
    title: str
    paper: str
    result: Result


@dataclass(frozen=True)
class Report:
    """Everything that a page shows."""

    version: str  # of facespace
    model: str  # label of the embedder
    model_sha256: str  # of its weights
    detector: str  # label of the detector
    training_data: str  # what the embedder saw
    quick: bool  # nothing was trained
    budget: int  # faces that each run of a trained sweep was to see
    machine: str  # processor and cores
    parts: tuple[Made, ...]  # in the paper's order

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return plain(self)


def in_report() -> list[tuple[Entry, Experiment]]:
    """The experiments of the report, in its order."""
    loaded = [(line, line.load()) for line in ENTRIES]
    return [(line, experiment) for line, experiment in loaded if experiment.report is not None]


def make_report(
    setup: Setup,
    work: Path,
    *,
    only: Sequence[str] = (),
    follow: Follow = lambda _: nullcontext(lambda done, total: None),
    on_made: Callable[[Made], None] | None = None,
) -> Report:
    """Every table and figure of the paper, measured on the available data.

    Args:
        setup: data, models and how much may be spent.
        work: folder for results and embeddings; the same call continues from what is there.
        only: names of the experiments to make; the others are shown as they are in ``work``.
        follow: opens something that shows progress under a title, such as a bar.
        on_made: called after each experiment.

    Raises:
        InputError: an experiment of no such name.
        DataError: data are missing.
        ModelError: no such model.
    """
    for name in only:
        entry(name)
    context = Context(setup, Cache(work))
    _ = context.data
    made = []
    for line, experiment in in_report():
        chosen = not only or line.name in only
        result = _made(line, experiment, context, follow) if chosen else _kept(line, experiment, context)
        made.append(Made(line.name, line.title, experiment.paper, result))
        if on_made:
            on_made(made[-1])
    return describe(context, made)


def describe(context: Context, made: Sequence[Made]) -> Report:
    """What was made, with what it was made by."""
    spec, detector = context.embedder.spec, context.detector.spec
    return Report(
        version=__version__,
        model=spec.label,
        model_sha256=spec.sha256,
        detector=detector.label,
        training_data=spec.training_data,
        quick=context.setup.quick,
        budget=context.setup.budget,
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        parts=tuple(made),
    )


def _made(line: Entry, experiment: Experiment, context: Context, follow: Follow) -> Result:
    if kept := context.cache.result(line.name, _facts(experiment, context)):
        return kept
    started = time.monotonic()
    with follow(line.title) as on_step:
        context.on_step = on_step
        result = experiment(context, **(experiment.report or {}))
    result = dataclasses.replace(result, seconds=round(time.monotonic() - started, 1))
    if result.status != NOT_RUN:
        # The facts are asked for again, since an experiment can make what it depends on.
        context.cache.keep_result(line.name, _facts(experiment, context), result)
    return result


def _kept(line: Entry, experiment: Experiment, context: Context) -> Result:
    kept = context.cache.result(line.name, _facts(experiment, context))
    return kept or not_run("Left out of this run.", remedy=f"facespace measure report --only {line.name}")


def _facts(experiment: Experiment, context: Context) -> dict[str, Any]:
    options = {name: plain(value) for name, value in (experiment.report or {}).items()}
    return {"version": experiment.version, "options": options, **context.facts(experiment.needs)}
