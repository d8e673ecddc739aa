"""May two models meet? The distances of mixed comparison, and how well, measured and kept in the newer one's spec."""

import dataclasses
from pathlib import Path

from facespace.errors import InputError
from facespace.evaluate.holdout import HoldoutFaces, with_tar
from facespace.metrics import OperatingPoint, count_mixed_pairs
from facespace.models import FARS, VERIFY_FAR, ModelSpec, far_key, write_spec

__all__ = ["declare_compatible", "mixed_points"]


def mixed_points(faces: HoldoutFaces, of_other: HoldoutFaces) -> dict[str, OperatingPoint]:
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


def declare_compatible(
    model: Path, spec: ModelSpec, faces: HoldoutFaces, *, other: ModelSpec, of_other: HoldoutFaces
) -> ModelSpec:
    """Write into the model's own file that its embeddings may meet another model's, at which distances, and how well.

    Args:
        model: the ONNX file.
        spec: its spec so far.
        faces: embedded by this model; of people that neither model was trained on.
        other: spec of the other model, such as an older version.
        of_other: the same faces embedded by that.

    Returns:
        The spec that was written; its `options["tar_mixed"]` holds the TAR at VERIFY_FAR by the other's sha256.

    Raises:
        InputError: the two models did not see the same faces.
    """
    points = mixed_points(faces, of_other)
    distances = {k: None if p.threshold is None else round(p.threshold, 5) for k, p in points.items()}
    compatible = {**spec.compatible_with, other.sha256: distances}
    return write_spec(
        model,
        with_tar(
            dataclasses.replace(spec, compatible_with=compatible),
            points[far_key(VERIFY_FAR)].tar,
            mixed=other.sha256,
        ),
    )
