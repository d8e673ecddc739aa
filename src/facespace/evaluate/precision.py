"""What a model of lower precision loses, and may it meet its original: measured, then kept in its spec."""

import dataclasses
from pathlib import Path

from facespace.evaluate.compatibility import declare_compatible
from facespace.evaluate.holdout import HoldoutFaces, calibrate
from facespace.metrics import all_pairs
from facespace.models import VERIFY_FAR, ModelSpec

__all__ = ["calibrate_twin"]


def calibrate_twin(
    model: Path,
    spec: ModelSpec,
    faces: HoldoutFaces,
    *,
    original: ModelSpec,
    of_original: HoldoutFaces,
    source: str,
) -> ModelSpec:
    """Calibrate a lower-precision twin; returns the spec that was written.

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
