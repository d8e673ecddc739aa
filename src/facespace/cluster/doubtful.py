"""Groups that probably hold several people, so that an oversized group is never silent."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.distances import check_embeddings, distance_matrix

MIN_FACES = 10
# Few groups of one person have so many pairs beyond the threshold, many groups of several do.
MAX_BEYOND = 0.2
# A person is seldom so large a part of a collection of this size.
MAX_SHARE = 0.25
MIN_COLLECTION = 400
# A group of this part of the usual quality was brought together by blur.
MIN_QUALITY = 0.5
SAMPLE = 1000


@dataclass(frozen=True)
class DoubtfulGroup:
    """A group to look at.

    Attributes:
        label: the group.
        n_faces: in it.
        diameter: the distance that nine of ten pairs stay within.
        beyond: share of its pairs that are farther apart than the threshold.
        quality: median of its faces' quality, or None where none is known.
        reasons: what speaks against one person, for people to read.
    """

    label: int
    n_faces: int
    diameter: float
    beyond: float
    quality: float | None
    reasons: tuple[str, ...]


def find_doubtful_groups(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.integer],
    *,
    threshold: float,
    quality: NDArray[np.floating] | None = None,
) -> list[DoubtfulGroup]:
    """Groups of ten faces or more that are loose, blurred or a large part of the collection; the largest first.

    Args:
        embeddings: unit rows, shape (N, D).
        labels: groups, shape (N,).
        threshold: that the groups were made with.
        quality: of each face in [0, 1], shape (N,); nan where it is not known.

    Raises:
        InputError: other shapes or rows that are not of unit length.
    """
    rows = check_embeddings(embeddings)
    known = np.full(len(rows), np.nan) if quality is None else np.asarray(quality, np.float64)
    usual = float(np.median(known[~np.isnan(known)])) if (~np.isnan(known)).any() else None
    groups, sizes = np.unique(labels, return_counts=True)
    doubtful = []
    for k in np.lexsort((groups, -sizes)):
        if sizes[k] < MIN_FACES:
            break
        members = np.flatnonzero(labels == groups[k])
        group = _judge(int(groups[k]), rows[members], known[members], usual, len(rows), threshold)
        if group.reasons:
            doubtful.append(group)
    return doubtful


def _judge(
    label: int,
    rows: NDArray[np.float32],
    quality: NDArray[np.float64],
    usual: float | None,
    n_all: int,
    threshold: float,
) -> DoubtfulGroup:
    sample = rows[:: max(1, len(rows) // SAMPLE)]
    distance = distance_matrix(sample, sample)[np.triu_indices(len(sample), 1)]
    beyond = float((distance > threshold).mean())
    known = quality[~np.isnan(quality)]
    median = float(np.median(known)) if len(known) else None
    reasons = []
    if beyond > MAX_BEYOND:
        reasons.append(f"{100 * beyond:.0f} % of its pairs are farther apart than the threshold")
    if n_all >= MIN_COLLECTION and len(rows) > MAX_SHARE * n_all:
        reasons.append(f"it holds {100 * len(rows) / n_all:.0f} % of all faces")
    if median is not None and usual is not None and median < MIN_QUALITY * usual:
        reasons.append(f"its faces are poor: quality {median:.2f}, in the collection {usual:.2f}")
    return DoubtfulGroup(label, len(rows), float(np.quantile(distance, 0.9)), beyond, median, tuple(reasons))
