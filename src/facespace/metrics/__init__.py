"""Metrics on arrays: verification pairs, all pairs, folds and clusters."""

from facespace.metrics.all_pairs import PairCounts, all_pairs, count_pairs
from facespace.metrics.clusters import ClusterScores, bcubed_scores, pairwise_scores
from facespace.metrics.folds import FoldAccuracy, best_threshold, kfold_accuracy
from facespace.metrics.near_pairs import NearPairs, near_pairs
from facespace.metrics.operating_point import OperatingPoint
from facespace.metrics.pairs import auc, eer, roc, tar_at_far

__all__ = [
    "ClusterScores",
    "FoldAccuracy",
    "NearPairs",
    "OperatingPoint",
    "PairCounts",
    "all_pairs",
    "auc",
    "bcubed_scores",
    "best_threshold",
    "count_pairs",
    "eer",
    "kfold_accuracy",
    "near_pairs",
    "pairwise_scores",
    "roc",
    "tar_at_far",
]
