"""Thresholds measured on hold-out faces and written into a model's own file, alone and beside another model."""

import dataclasses
from pathlib import Path

from facespace.errors import InputError
from facespace.measure.faces import EmbeddedFaces
from facespace.measure.holdout import evaluate_holdout
from facespace.measure.populations import EVERYONE, MIXED, PUBLIC_FIGURES, Populations, stricter
from facespace.metrics import OperatingPoint, all_pairs, count_mixed_pairs
from facespace.models import FARS, VERIFY_FAR, ModelSpec, far_key, write_spec

__all__ = ["calibrate", "calibrate_twin", "declare_compatible", "mixed_points"]


def calibrate(
    model: Path, spec: ModelSpec, faces: EmbeddedFaces, *, source: str, populations: Populations | None = None
) -> ModelSpec:
    """Write the distance at each FAR that the pairs support, and the TAR, into the model's own file.

    Args:
        model: the ONNX file.
        spec: its spec so far.
        faces: embedded by this model; of people that it was not trained on.
        source: what the faces are, for the spec.
        populations: distances by population, see `facespace.measure.populations`; the model's own are then the
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


def calibrate_twin(
    model: Path,
    spec: ModelSpec,
    faces: EmbeddedFaces,
    *,
    original: ModelSpec,
    of_original: EmbeddedFaces,
    source: str,
) -> ModelSpec:
    """Calibrate a twin of lower precision; returns the spec that was written.

    The spec says what the twin loses, `options["tar"]` beside `options["tar_original"]` at FAR 1e-3, and that its
    embeddings may meet the original's, at distances measured between faces of the one and other faces of the other.

    Args:
        model: the twin's ONNX file.
        spec: its spec so far.
        faces: the hold-out faces embedded by the twin.
        original: spec of the model that it was made from.
        of_original: the same faces embedded by that.
        source: what the faces are, for the spec.
    """
    spec = calibrate(model, spec, faces, source=source)
    (point,) = all_pairs(of_original.embeddings, of_original.labels, fars=(VERIFY_FAR,))
    spec = dataclasses.replace(spec, options={**spec.options, "tar_original": point.tar})
    return declare_compatible(model, spec, faces, other=original, of_other=of_original)


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
