"""New faces into groups that stand, and poor faces into groups that good ones made."""

import numpy as np
from numpy.typing import NDArray

from facespace.cluster.constraints import Constraints, chains, components, contradictions
from facespace.cluster.groups import Groups
from facespace.cluster.linkage import agglomerative
from facespace.cluster.search import BlockSearch
from facespace.cluster.tree import labels_by_size
from facespace.distances import check_embeddings
from facespace.errors import InputError
from facespace.workers import Workers

# A face that does not fit its nearest group (they share a photo) may try so many others.
TRIES = 8


def add_faces(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.integer],
    *,
    threshold: float,
    constraints: Constraints | None = None,
) -> NDArray[np.int64]:
    """Go on from groups that stand: new faces join them or each other, groups that are near enough join.

    A group that stands is not taken apart unless the constraints say so: then its faces, but for those that are
    linked or confirmed, are free again. Confirmed people (`Constraints.person`) keep all their faces, never join, and
    keep the label that most of their faces have.

    Args:
        embeddings: unit rows of all faces, shape (N, D).
        labels: shape (N,), the group of each face, -1 for the new ones.
        threshold: largest mean distance of two groups that joins them.
        constraints: as for `agglomerative`.

    Returns:
        Labels, shape (N,): a group keeps its number (of several that joined, the confirmed or the largest one's);
        new groups have numbers above.

    Raises:
        InputError: as for `agglomerative`, or labels of another shape.
    """
    rows, before = check_embeddings(embeddings), _checked(labels, len(embeddings))
    constraints = constraints or Constraints()
    both = constraints.with_groups(_without_contradiction(before, constraints))
    found = agglomerative(rows, threshold=threshold, constraints=both).labels
    return _keep_numbers(found, before, constraints.links(len(rows))[2] >= 0)


def attach_faces(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.integer],
    *,
    threshold: float,
    constraints: Constraints | None = None,
) -> NDArray[np.int64]:
    """Put each face without a group into the nearest group, if near enough; groups are not moved by it.

    Arguments and errors are those of `add_faces`. Nearer faces choose first; constraints hold.

    Returns:
        Labels, shape (N,), still -1 where no group was near enough.
    """
    rows, attached = check_embeddings(embeddings), _checked(labels, len(embeddings))
    start, conflicts = (constraints or Constraints()).with_groups(attached).resolve(len(rows))
    label = np.full(conflicts.n, -1, np.int64)
    known = attached >= 0
    label[start[known]] = attached[known]
    free = np.flatnonzero(label < 0)
    if len(free) in (0, len(label)):
        return label[start]
    groups = Groups.of_faces(rows, start)
    lists, _ = BlockSearch(groups, np.flatnonzero(label >= 0), conflicts).nearest(free, TRIES)
    near, group = np.repeat(free, TRIES)[lists.ravel() >= 0], lists.ravel()[lists.ravel() >= 0]
    distance = groups.distance(near, group)
    for i in np.argsort(distance, kind="stable"):
        face, to = near[i : i + 1], group[i : i + 1]
        if distance[i] <= threshold and label[face[0]] < 0 and not conflicts.between(face, to)[0]:
            label[face] = label[to]
            if conflicts:
                conflicts.merge(to, face)
    return label[start]


def group_good_faces(
    embeddings: NDArray[np.float32],
    quality: NDArray[np.floating],
    *,
    threshold: float,
    min_quality: float,
    constraints: Constraints | None = None,
    workers: int | Workers | None = None,
) -> NDArray[np.int32]:
    """Set poor faces aside, group the others, and attach the poor ones where they fit; else they stand alone.

    Blurred faces of different people resemble each other: left in, they draw groups together. A face that somebody
    linked or confirmed is never set aside. A quality that is not known (nan) counts as good.

    Args:
        embeddings: unit rows, shape (N, D).
        quality: in [0, 1], shape (N,).
        threshold: largest mean distance of two groups that joins them.
        min_quality: faces below it are set aside.
        constraints: as for `agglomerative`.
        workers: likewise.

    Returns:
        Labels by size, shape (N,).

    Raises:
        InputError: as for `agglomerative`, or a quality of another shape.
    """
    rows, constraints = check_embeddings(embeddings), constraints or Constraints()
    if np.shape(quality) != (len(rows),):
        raise InputError(f"quality: expected shape ({len(rows)},), got {np.shape(quality)}")
    together, _, person = constraints.links(len(rows))
    constraints.resolve(len(rows))
    good = ~(np.asarray(quality) < min_quality) | (person >= 0)
    good[together.ravel()] = True
    faces = np.flatnonzero(good)
    labels = np.full(len(rows), -1, np.int64)
    some = constraints.subset(faces, len(rows))
    found = agglomerative(rows[faces], threshold=threshold, constraints=some, workers=workers)
    labels[faces] = found.labels
    labels = attach_faces(rows, labels, threshold=threshold, constraints=constraints)
    alone = np.flatnonzero(labels < 0)
    labels[alone] = labels.max(initial=-1) + 1 + np.arange(len(alone))
    return labels_by_size(labels)


def _checked(labels: NDArray[np.integer], n: int) -> NDArray[np.int64]:
    if np.shape(labels) != (n,) or np.asarray(labels).dtype.kind not in "iu":
        raise InputError(f"labels: expected integers of shape ({n},), got shape {np.shape(labels)}")
    return np.asarray(labels, np.int64)


def _without_contradiction(before: NDArray[np.int64], constraints: Constraints) -> NDArray[np.int64]:
    """The groups that stand, without those in which the constraints find two people."""
    together, apart, person = constraints.links(len(before))
    root = components(len(before), np.concatenate([together, chains(before)]))
    wrong = root[contradictions(root, apart, person)[:, 0]]
    return np.where(np.isin(root, wrong), -1, before)


def _keep_numbers(
    found: NDArray[np.int32], before: NDArray[np.int64], confirmed: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Each found group takes an old number that most of its faces had, the confirmed ones' first, each number once."""
    known = np.flatnonzero(before >= 0)
    pairs, index = np.unique(np.stack([found[known], before[known]], axis=1), axis=0, return_inverse=True)
    votes = np.bincount(index.ravel(), minlength=len(pairs))
    sure = np.bincount(index.ravel(), confirmed[known], minlength=len(pairs))
    number = np.full(int(found.max(initial=-1)) + 1, -1, np.int64)
    taken: set[int] = set()
    for i in np.lexsort((pairs[:, 1], -votes, -sure)):
        group, old = int(pairs[i, 0]), int(pairs[i, 1])
        if number[group] < 0 and old not in taken:
            number[group] = old
            taken.add(old)
    fresh = np.flatnonzero(number < 0)
    number[fresh] = before.max(initial=-1) + 1 + np.arange(len(fresh))
    return number[found]
