"""Train the face detector and export it."""

from facespace.training.detector.export import export_detector
from facespace.training.detector.train import DetectorRecipe, train_detector

__all__ = ["DetectorRecipe", "export_detector", "train_detector"]
