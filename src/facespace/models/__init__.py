"""Models: the spec inside each file, the built-in ones, and whether two models' embeddings may meet."""

from facespace.models.built_in import (
    BUILT_IN,
    built_in_models,
    find_model,
    find_weights,
    installed_models,
    user_models_folder,
)
from facespace.models.far_curve import FarCurve, far_curve
from facespace.models.onnx_metadata import read_metadata, weights_sha256, write_metadata
from facespace.models.spec import (
    FARS,
    VERIFY_FAR,
    ModelSpec,
    common_distances,
    far_key,
    read_spec,
    write_spec,
)
from facespace.models.thresholds import common_threshold, distance_at

__all__ = [
    "BUILT_IN",
    "FARS",
    "VERIFY_FAR",
    "FarCurve",
    "ModelSpec",
    "built_in_models",
    "common_distances",
    "common_threshold",
    "distance_at",
    "far_curve",
    "far_key",
    "find_model",
    "find_weights",
    "installed_models",
    "read_metadata",
    "read_spec",
    "user_models_folder",
    "weights_sha256",
    "write_metadata",
    "write_spec",
]
