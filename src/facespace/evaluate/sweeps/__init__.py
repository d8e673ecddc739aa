"""Sweeps on any model: how VAL and accuracy change with the pictures, the stored form, and the model itself.

material   pictures and pairs, each face found once
views      a picture, changed and cropped
degrade    the changes: JPEG quality, size
pictures   the sweeps over pictures; compact: over bytes; models: over models
"""

from facespace.evaluate.sweeps.compact import TRAINING_FACES, fit_rotation, sweep_bytes
from facespace.evaluate.sweeps.degrade import JPEG_QUALITIES, SIDES_PX
from facespace.evaluate.sweeps.material import (
    HoldoutMaterial,
    LfwMaterial,
    Material,
    embed_views,
    open_holdout,
    open_lfw,
)
from facespace.evaluate.sweeps.models import ModelCurve, model_curve, roc_points
from facespace.evaluate.sweeps.pictures import sweep_jpeg, sweep_placement, sweep_size
from facespace.evaluate.sweeps.score import Score, Sweep, SweepPoint

__all__ = [
    "JPEG_QUALITIES",
    "SIDES_PX",
    "TRAINING_FACES",
    "HoldoutMaterial",
    "LfwMaterial",
    "Material",
    "ModelCurve",
    "Score",
    "Sweep",
    "SweepPoint",
    "embed_views",
    "fit_rotation",
    "model_curve",
    "open_holdout",
    "open_lfw",
    "roc_points",
    "sweep_bytes",
    "sweep_jpeg",
    "sweep_placement",
    "sweep_size",
]
