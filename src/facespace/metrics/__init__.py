"""Metrics on arrays: listed pairs, all pairs, identification, folds, intervals, paired tests and clusters."""

from facespace.metrics.all_pairs import PairCounts, all_pairs, count_mixed_pairs, count_pairs
from facespace.metrics.averages import mean_and_se
from facespace.metrics.clusters import ClusterScores, bcubed_scores, pairwise_scores
from facespace.metrics.folds import FoldAccuracy, best_threshold, kfold_accuracy, kfold_tar
from facespace.metrics.identification import Identification, OpenSetPoint, identification
from facespace.metrics.near_pairs import NearPairs, near_pairs
from facespace.metrics.operating_point import OperatingPoint
from facespace.metrics.paired import McNemar, TarComparison, compare_tar, mcnemar
from facespace.metrics.pairs import auc, det, eer, roc, tar_at_far
from facespace.metrics.resampling import Interval, mean_interval
from facespace.metrics.tar_intervals import RateIntervals, rates_at, tar_interval

__all__ = [
    "ClusterScores",
    "FoldAccuracy",
    "Identification",
    "Interval",
    "McNemar",
    "NearPairs",
    "OpenSetPoint",
    "OperatingPoint",
    "PairCounts",
    "RateIntervals",
    "TarComparison",
    "all_pairs",
    "auc",
    "bcubed_scores",
    "best_threshold",
    "compare_tar",
    "count_mixed_pairs",
    "count_pairs",
    "det",
    "eer",
    "identification",
    "kfold_accuracy",
    "kfold_tar",
    "mcnemar",
    "mean_and_se",
    "mean_interval",
    "near_pairs",
    "pairwise_scores",
    "rates_at",
    "roc",
    "tar_at_far",
    "tar_interval",
]
