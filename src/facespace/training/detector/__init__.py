"""Train the face detector and export it."""

from facespace.training.detector.calibrate import choose_threshold
from facespace.training.detector.data import DataOptions, load_sources
from facespace.training.detector.decoys import find_decoys
from facespace.training.detector.doubtful import write_doubtful
from facespace.training.detector.export import export_detector
from facespace.training.detector.relabel import write_relabels
from facespace.training.detector.train import DetectorRecipe, train_detector

__all__ = [
    "DataOptions",
    "DetectorRecipe",
    "choose_threshold",
    "export_detector",
    "find_decoys",
    "load_sources",
    "train_detector",
    "write_doubtful",
    "write_relabels",
]
