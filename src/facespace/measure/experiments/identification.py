"""1:N on known faces: half of the people enrolled, the other half unknown; by the nearest template and by prototypes.

It is what `facespace gallery identify` does, on arrays, and says whether the share of unknown people asked for is met.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from facespace.errors import InputError
from facespace.gallery.identification import comparison_far
from facespace.measure.context import Context
from facespace.measure.experiment import Option, experiment
from facespace.measure.faces import EmbeddedFaces, Faces, prototypes
from facespace.measure.result import MEASURED, Column, Result, Table, plain, spread
from facespace.metrics import Identification, identification, mean_and_se
from facespace.models import FarCurve, ModelSpec, far_curve

# Faces enrolled of each person, and random halves of the people that are enrolled in turn.
N_TEMPLATES, N_DRAWS = 5, 10

METHODS = ("nearest template", "prototype")
FPIRS = (0.1, 0.05, 0.01)


@dataclass(frozen=True)
class IdentificationRow:
    """One method at one share of unknown people; means over the draws."""

    method: str  # "nearest template" or "prototype"
    fpir: float  # the share of unknown people asked for
    # probes of enrolled people that are not named rightly, at the threshold that meets ``fpir`` on the draw's
    # own unknown people
    fnir: float | None
    fnir_se: float | None  # standard error over draws
    # the share of unknown people named at the model's own threshold for ``fpir`` in such a gallery
    fpir_met: float
    fpir_met_se: float  # standard error over draws
    fnir_met: float  # probes of enrolled people that are not named rightly at that threshold


@dataclass(frozen=True)
class IdentificationFigures:
    """Figures over draws of the people who are enrolled."""

    rows: tuple[IdentificationRow, ...]  # by method and share
    # of each method, the share of probes of enrolled people whose nearest subject is right, and its standard
    # error
    rank_1: dict[str, tuple[float, float]]
    n_subjects: int  # enrolled
    n_templates: float  # enrolled, mean over draws
    n_mated: float  # probes of enrolled people, likewise
    n_unmated: float  # probes of unknown people, likewise
    n_draws: int  # draws


@dataclass(frozen=True)
class _Draw:
    """Of one draw: each method's searches, and how many comparisons each is worth."""

    found: tuple[Identification, ...]
    n_comparisons: tuple[int, ...]
    n_templates: int


def evaluate_identification(
    faces: EmbeddedFaces,
    spec: ModelSpec,
    *,
    n_templates: int = N_TEMPLATES,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> IdentificationFigures:
    """Enrol a random half of the people with some of their faces each; all other faces are probes.

    Args:
        faces: of people that the model was not trained on.
        spec: of the model, for its thresholds.
        n_templates: faces enrolled of each person, at most half of those there are.
        n_draws: how often.
        seed: of the draws.

    Raises:
        InputError: fewer than four people, or counts below 1.
        ModelError: the model is not calibrated.
    """
    if n_templates < 1 or n_draws < 2 or len(faces.identities) < 4:
        raise InputError("expected four people or more, a template or more of each and two draws or more")
    curve, rng = far_curve(spec, spec), np.random.default_rng(seed)
    draws = [_draw(faces, n_templates, rng) for _ in range(n_draws)]
    first = draws[0].found[0]
    return IdentificationFigures(
        rows=tuple(_rows(draws, curve)),
        rank_1={name: _mean([d.found[i].rank_k(1) for d in draws]) for i, name in enumerate(METHODS)},
        n_subjects=first.n_subjects,
        n_templates=float(np.mean([draw.n_templates for draw in draws])),
        n_mated=float(np.mean([len(draw.found[0].rank) for draw in draws])),
        n_unmated=float(np.mean([len(draw.found[0].nearest_distance) for draw in draws])),
        n_draws=n_draws,
    )


def _draw(faces: EmbeddedFaces, n_templates: int, rng: np.random.Generator) -> _Draw:
    enrolled = np.zeros(len(faces.labels), bool)
    people = rng.permutation(len(faces.identities))[: len(faces.identities) // 2]
    for person in people:
        own = rng.permutation(np.flatnonzero(faces.labels == person))
        enrolled[own[: max(1, min(n_templates, len(own) // 2))]] = True
    rows, labels = faces.embeddings[enrolled], faces.labels[enrolled]
    subjects, means, counts = prototypes(rows, labels)
    probes, asked = faces.embeddings[~enrolled], faces.labels[~enrolled]
    return _Draw(
        (identification(probes, asked, rows, labels), identification(probes, asked, means, subjects)),
        (len(rows), int(np.minimum(counts, 2).sum())),
        len(rows),
    )


def _rows(draws: list[_Draw], curve: FarCurve) -> Iterator[IdentificationRow]:
    for i, method in enumerate(METHODS):
        for fpir in FPIRS:
            fnir, se = mean_and_se([draw.found[i].fnir_at_fpir(fpir).fnir for draw in draws])
            met = [
                _at_threshold(draw, i, curve.distance(comparison_far(fpir, draw.n_comparisons[i])))
                for draw in draws
            ]
            fpir_met, fpir_met_se = _mean([one[0] for one in met])
            yield IdentificationRow(
                method, fpir, fnir, se, fpir_met, fpir_met_se, float(np.mean([one[1] for one in met]))
            )


def _at_threshold(draw: _Draw, i: int, threshold: float) -> tuple[float, float]:
    """FPIR and FNIR of a draw."""
    found = draw.found[i]
    named_rightly = (found.rank == 1) & (found.mate_distance <= threshold)
    return float((found.nearest_distance <= threshold).mean()), float(1 - named_rightly.mean())


def _mean(values: list[float]) -> tuple[float, float]:
    """Mean and standard error of two values or more."""
    mean, se = mean_and_se(values)
    assert mean is not None and se is not None
    return mean, se


@experiment(
    "Recognition is a nearest-neighbour search in the space; no figure is given for it.",
)
def run(
    context: Context,
    *,
    faces: Faces = None,
    templates: Annotated[int, Option("Faces enrolled of each person.", min=1)] = N_TEMPLATES,
) -> Result:
    """Identify in a gallery of half of the people, the others being unknown: rank-1, FNIR at FPIR, and is FPIR met?"""
    known = context.read(faces or context.data / "faces" / "val")
    figures = evaluate_identification(known, context.embedder.spec, n_templates=templates)
    columns = (
        Column("method"), Column("rank-1", "percent2"), Column("FPIR", "percent2"), Column("FNIR", "percent2"),
        Column("FPIR met", "percent2"), Column("FNIR there", "percent2"),
    )  # fmt: skip
    rows = tuple(
        (
            row.method, figures.rank_1[row.method], row.fpir, spread(row.fnir, row.fnir_se),
            (row.fpir_met, row.fpir_met_se), row.fnir_met,
        )
        for row in figures.rows
    )  # fmt: skip
    best = max(figures.rank_1, key=lambda method: figures.rank_1[method])
    return Result(
        MEASURED,
        f"Rank-1 {100 * figures.rank_1[best][0]:.2f} % by {best}: {figures.n_subjects} subjects with "
        f"{figures.n_templates:.0f} templates; {figures.n_mated:.0f} probes of them, {figures.n_unmated:.0f} of "
        f"unknown people; means over {figures.n_draws} draws.",
        (Table("By method and share of unknown people who may be named.", columns, rows),),
        (
            "FNIR: at the threshold of the draw's own unknown people; then at the one that `facespace gallery "
            "identify` takes.",
        ),
        figures=plain(figures),
    )
