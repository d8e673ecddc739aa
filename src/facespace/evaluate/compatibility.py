"""May two models meet? The distances of mixed comparison, measured and kept in the newer model's spec."""

import dataclasses
from pathlib import Path

from facespace.errors import InputError
from facespace.evaluate.holdout import HoldoutFaces
from facespace.metrics import count_mixed_pairs
from facespace.models import FARS, ModelSpec, far_key, write_spec

__all__ = ["declare_compatible", "mixed_distances"]


def mixed_distances(faces: HoldoutFaces, of_other: HoldoutFaces) -> dict[str, float | None]:
    """The distance at each FAR between each face by one model and all other faces by another model.

    Args:
        faces: embedded by the one.
        of_other: the same faces embedded by the other.

    Raises:
        InputError: other faces, or embeddings of another dimension.
    """
    if faces.labels.tolist() != of_other.labels.tolist():
        raise InputError("expected the same faces by both models, the two sets differ")
    counts = count_mixed_pairs(faces.embeddings, of_other.embeddings, faces.labels)
    found = {far_key(far): counts.tar_at_far(far).threshold for far in FARS}
    return {key: None if distance is None else round(distance, 5) for key, distance in found.items()}


def declare_compatible(
    model: Path, spec: ModelSpec, faces: HoldoutFaces, *, other: ModelSpec, of_other: HoldoutFaces
) -> ModelSpec:
    """Write into the model's own file that its embeddings may meet another model's, and at which distances.

    Args:
        model: the ONNX file.
        spec: its spec so far.
        faces: embedded by this model; of people that neither model was trained on.
        other: spec of the other model, such as an older version.
        of_other: the same faces embedded by that.

    Returns:
        The spec that was written.

    Raises:
        InputError: the two models did not see the same faces.
    """
    compatible = {**spec.compatible_with, other.sha256: mixed_distances(faces, of_other)}
    return write_spec(model, dataclasses.replace(spec, compatible_with=compatible))
