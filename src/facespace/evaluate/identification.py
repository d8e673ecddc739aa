"""1:N on known faces: half of the people enrolled, half strangers; by the nearest template and by prototypes.

It is what `facespace gallery identify` does, on arrays, and says whether the share of strangers asked for is met.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.evaluate.defaults import N_GALLERIES, N_TEMPLATES
from facespace.evaluate.holdout import HoldoutFaces
from facespace.gallery.identification import comparison_far
from facespace.metrics import Identification, identification
from facespace.models import FarCurve, ModelSpec, far_curve

__all__ = ["METHODS", "IdentificationResult", "IdentificationRow", "evaluate_identification"]

METHODS = ("nearest template", "prototype")
FPIRS = (0.1, 0.05, 0.01)


@dataclass(frozen=True)
class IdentificationRow:
    """One method at one share of strangers; means over the draws.

    Attributes:
        method: "nearest template" or "prototype".
        fpir: the share of strangers asked for.
        fnir: probes of enrolled people that are not named rightly, at the threshold that meets ``fpir`` on the draw's
            own strangers.
        fnir_se: standard error over draws.
        fpir_met: the share of strangers named at the model's own threshold for ``fpir`` in such a gallery.
        fpir_met_se: standard error over draws.
        fnir_met: probes of enrolled people that are not named rightly at that threshold.
    """

    method: str
    fpir: float
    fnir: float | None
    fnir_se: float | None
    fpir_met: float
    fpir_met_se: float
    fnir_met: float


@dataclass(frozen=True)
class IdentificationResult:
    """Figures over draws of the people who are enrolled.

    Attributes:
        rows: by method and share.
        rank_1: of each method, the share of probes of enrolled people whose nearest subject is right, and its standard
            error.
        n_subjects: enrolled.
        n_templates: enrolled, mean over draws.
        n_mated: probes of enrolled people, likewise.
        n_unmated: probes of strangers, likewise.
        n_draws: draws.
    """

    rows: tuple[IdentificationRow, ...]
    rank_1: dict[str, tuple[float, float]]
    n_subjects: int
    n_templates: float
    n_mated: float
    n_unmated: float
    n_draws: int


@dataclass(frozen=True)
class _Draw:
    """Of one draw: each method's searches, and how many comparisons each is worth."""

    found: tuple[Identification, ...]
    n_comparisons: tuple[int, ...]
    n_templates: int


def evaluate_identification(
    faces: HoldoutFaces,
    spec: ModelSpec,
    *,
    n_templates: int = N_TEMPLATES,
    n_draws: int = N_GALLERIES,
    seed: int = 0,
) -> IdentificationResult:
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
    return IdentificationResult(
        rows=tuple(_rows(draws, curve)),
        rank_1={name: _mean_and_se([d.found[i].rank_k(1) for d in draws]) for i, name in enumerate(METHODS)},
        n_subjects=first.n_subjects,
        n_templates=float(np.mean([draw.n_templates for draw in draws])),
        n_mated=float(np.mean([len(draw.found[0].rank) for draw in draws])),
        n_unmated=float(np.mean([len(draw.found[0].nearest_distance) for draw in draws])),
        n_draws=n_draws,
    )


def _draw(faces: HoldoutFaces, n_templates: int, rng: np.random.Generator) -> _Draw:
    enrolled = np.zeros(len(faces.labels), bool)
    people = rng.permutation(len(faces.identities))[: len(faces.identities) // 2]
    for person in people:
        own = rng.permutation(np.flatnonzero(faces.labels == person))
        enrolled[own[: max(1, min(n_templates, len(own) // 2))]] = True
    rows, labels = faces.embeddings[enrolled], faces.labels[enrolled]
    subjects, prototypes, counts = _prototypes(rows, labels)
    probes, asked = faces.embeddings[~enrolled], faces.labels[~enrolled]
    return _Draw(
        (identification(probes, asked, rows, labels), identification(probes, asked, prototypes, subjects)),
        (len(rows), int(np.minimum(counts, 2).sum())),
        len(rows),
    )


def _prototypes(
    rows: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    subjects, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(subjects), rows.shape[1]))
    np.add.at(sums, place, rows)
    return subjects, (sums / np.linalg.norm(sums, axis=1, keepdims=True)).astype(np.float32), counts


def _rows(draws: list[_Draw], curve: FarCurve) -> Iterator[IdentificationRow]:
    for i, method in enumerate(METHODS):
        for fpir in FPIRS:
            own = [draw.found[i].fnir_at_fpir(fpir).fnir for draw in draws]
            known = [fnir for fnir in own if fnir is not None]
            fnir, se = _mean_and_se(known) if len(known) == len(own) else (None, None)
            met = [
                _at_threshold(draw, i, curve.distance(comparison_far(fpir, draw.n_comparisons[i])))
                for draw in draws
            ]
            fpir_met, fpir_met_se = _mean_and_se([one[0] for one in met])
            yield IdentificationRow(
                method, fpir, fnir, se, fpir_met, fpir_met_se, float(np.mean([one[1] for one in met]))
            )


def _at_threshold(draw: _Draw, i: int, threshold: float) -> tuple[float, float]:
    """FPIR and FNIR of a draw."""
    found = draw.found[i]
    named_rightly = (found.rank == 1) & (found.mate_distance <= threshold)
    return float((found.nearest_distance <= threshold).mean()), float(1 - named_rightly.mean())


def _mean_and_se(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(len(values)))
