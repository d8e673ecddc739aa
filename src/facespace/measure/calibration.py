"""Thresholds measured on hold-out faces and written into a model's own file, alone and beside another model.

The hold-out set shows public figures, nearly all of them adults; a threshold that holds for them lets far more through
among children. So distances are measured on people of all ages and origins too, and on the group that is hardest to
tell apart: faces that no built-in model was trained on.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.measure.context import Context
from facespace.measure.faces import EmbeddedFaces
from facespace.measure.holdout import evaluate_holdout
from facespace.measure.unnamed_faces import Group, HeldOut, embed_unnamed
from facespace.metrics import OperatingPoint, PairCounts, count_mixed_pairs, count_pairs
from facespace.metrics.operating_point import MIN_FALSE_ACCEPTS
from facespace.models import FARS, VERIFY_FAR, ModelSpec, far_key, write_spec

EVERYONE, MIXED, STRICTEST, PUBLIC_FIGURES = "everyone", "mixed", "strictest-group", "public-figures"
# Faces of each age group: as many of each, so that children weigh as much as adults.
PER_AGE = 600
LEAST = 300
STRICT_KINDS = ("age", "origin")

# Name of a population -> distance at each FAR, None where its pairs do not support the rate.
Populations = dict[str, dict[str, float | None]]


def measure_populations(held_out: HeldOut) -> Populations:
    """The distances of a model on all ages and origins in equal shares, and of the strictest group."""
    chosen, rows = held_out.chosen, held_out.rows
    found = {MIXED: _distances(rows[balanced(held_out)])}
    groups = [_rows(chosen, g) for g in held_out.faces.groups() if g.kind in STRICT_KINDS]
    of_groups = [_distances(rows[members]) for members in groups if len(members) >= LEAST]
    strictest = {
        far_key(far): min((d for of in of_groups if (d := of[far_key(far)]) is not None), default=None)
        for far in FARS
    }
    return {**found, STRICTEST: strictest}


def stricter(a: Mapping[str, float | None], b: Mapping[str, float | None]) -> dict[str, float | None]:
    """The smaller distance at each FAR of ``a``; where one side's pairs do not support a rate, the other's."""
    return {key: min((d for d in (a[key], b.get(key)) if d is not None), default=None) for key in a}


def measure_mixed(held_out: HeldOut, other: Context) -> dict[str, float | None]:
    """The distance at each FAR between faces by one model and other faces by another, on the mixed population.

    Args:
        held_out: by the one.
        other: context of the other.
    """
    mixed = balanced(held_out)
    of_other = embed_unnamed(held_out.faces, held_out.chosen[mixed], other)
    return _at_each(count_mixed_pairs(held_out.rows[mixed], of_other, np.arange(len(mixed))))


def balanced(held_out: HeldOut) -> NDArray[np.int64]:
    """Rows of at most `PER_AGE` faces of each age group, of its origins equally many."""
    groups, chosen = held_out.faces.groups(), held_out.chosen
    origins = [set(g.members.tolist()) for g in groups if g.kind == "origin"]
    taken: list[int] = []
    for age in (g for g in groups if g.kind == "age"):
        places = _rows(chosen, age)
        queues = [[p for p in places if chosen[p] in origin][::-1] for origin in origins]
        n = 0
        while n < PER_AGE and any(queues):
            for queue in queues:
                if queue and n < PER_AGE:
                    taken.append(queue.pop())
                    n += 1
    return np.sort(np.array(taken, np.int64))


def _rows(chosen: NDArray[np.int64], group: Group) -> NDArray[np.int64]:
    return np.flatnonzero(np.isin(chosen, group.members))


def _distances(rows: NDArray[np.float32]) -> dict[str, float | None]:
    """Of pairs of different people alone: every face is a person of its own."""
    return _at_each(count_pairs(rows, np.arange(len(rows))))


def _at_each(counts: PairCounts) -> dict[str, float | None]:
    return {
        far_key(far): counts.distance_at(far) if counts.n_diff * far >= MIN_FALSE_ACCEPTS else None
        for far in FARS
    }


def calibrate(
    model: Path, spec: ModelSpec, faces: EmbeddedFaces, *, source: str, populations: Populations | None = None
) -> ModelSpec:
    """Write the distance at each FAR that the pairs support, and the TAR, into the model's own file.

    Args:
        model: the ONNX file.
        spec: its spec so far.
        faces: embedded by this model; of people that it was not trained on.
        source: what the faces are, for the spec.
        populations: distances by population, see `facespace.measure.calibration`; the model's own are then the
            stricter of these people's, all ages and origins, and of ``faces``.

    Returns:
        The spec that was written.
    """
    figures = evaluate_holdout(faces)
    calibration = f"{source}: {figures.n_same} same and {figures.n_diff} different pairs"
    distances, measured = _rounded(figures.threshold), {}
    if populations:
        distances = _rounded(stricter(figures.threshold, populations[MIXED]))
        of_all = {EVERYONE: distances, **populations, PUBLIC_FIGURES: figures.threshold}
        measured = {name: _rounded(found) for name, found in of_all.items()}
    spec = dataclasses.replace(spec, distances=distances, calibration=calibration, populations=measured)
    return write_spec(model, _with_tar(spec, figures.tar[far_key(VERIFY_FAR)]["all"]))


def declare_compatible(
    model: Path,
    spec: ModelSpec,
    faces: EmbeddedFaces,
    *,
    other: ModelSpec,
    of_other: EmbeddedFaces,
    distances: dict[str, float | None] | None = None,
) -> ModelSpec:
    """Write into the model's own file that its embeddings may meet another model's, at which distances, and how well.

    Args:
        model: the ONNX file.
        spec: its spec so far.
        faces: embedded by this model; of people that neither model was trained on.
        other: spec of the other model, such as an older version.
        of_other: the same faces embedded by that.
        distances: at each FAR of mixed comparison on another population than ``faces``; the stricter ones count.

    Returns:
        The spec that was written; its `options["tar_mixed"]` holds the TAR at VERIFY_FAR by the other's sha256.

    Raises:
        InputError: the two models did not see the same faces.
    """
    points = mixed_points(faces, of_other)
    found = {key: point.threshold for key, point in points.items()}
    found = _rounded(stricter(found, distances) if distances else found)
    spec = dataclasses.replace(spec, compatible_with={**spec.compatible_with, other.sha256: found})
    return write_spec(model, _with_tar(spec, points[far_key(VERIFY_FAR)].tar, mixed=other.sha256))


def mixed_points(faces: EmbeddedFaces, of_other: EmbeddedFaces) -> dict[str, OperatingPoint]:
    """Distance and TAR at each FAR between each face by one model and all other faces by another model.

    Args:
        faces: embedded by the one.
        of_other: the same faces embedded by the other.

    Raises:
        InputError: other faces, or embeddings of another dimension.
    """
    if faces.labels.tolist() != of_other.labels.tolist():
        raise InputError("expected the same faces by both models, the two sets differ")
    counts = count_mixed_pairs(faces.embeddings, of_other.embeddings, faces.labels)
    return {far_key(far): counts.tar_at_far(far) for far in FARS}


def _with_tar(spec: ModelSpec, tar: float | None, *, mixed: str = "") -> ModelSpec:
    """The spec with the TAR at VERIFY_FAR over all pairs, by which an upgrade says what it is worth.

    ``mixed`` is the sha256 of another model where the TAR is that of comparing with its embeddings.
    """
    options = {**spec.options, "far": VERIFY_FAR}
    if mixed:
        options["tar_mixed"] = {**options.get("tar_mixed", {}), mixed: tar}
    else:
        options["tar"] = tar
    return dataclasses.replace(spec, options=options)


def _rounded(distances: dict[str, float | None]) -> dict[str, float | None]:
    return {key: None if d is None else round(d, 5) for key, d in distances.items()}
