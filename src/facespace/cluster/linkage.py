"""The one door to exact agglomerative clustering (paper, section 5.7): average, Ward, single and complete linkage."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from facespace.cluster.conflicts import Conflicts
from facespace.cluster.constraints import Constraints
from facespace.cluster.dense import chain, complete_matrix
from facespace.cluster.groups import Groups
from facespace.cluster.near import NEAR, merge_near
from facespace.cluster.plan import Progress, Saved, SearchMethod, SearchPlan
from facespace.cluster.rounds import Rounds
from facespace.cluster.single import spanning_tree
from facespace.cluster.tree import Clustering, Merges, cut, grow
from facespace.distances import check_embeddings
from facespace.errors import InputError
from facespace.workers import Workers

Linkage = Literal["average", "ward", "single", "complete"]
# Complete linkage has no sums to work with: it holds N x N float32, 1.6 GB at this many groups.
MAX_COMPLETE = 20_000


def agglomerative(
    embeddings: NDArray[np.float32],
    *,
    threshold: float | None = None,
    n_clusters: int | None = None,
    linkage: Linkage = "average",
    constraints: Constraints | None = None,
    search: SearchMethod = "auto",
    saved: Saved | None = None,
    on_progress: Progress | None = None,
    workers: int | Workers | None = None,
) -> Clustering:
    """Merge the two closest groups, again and again, up to a distance or down to a number of groups.

    Exact up to 100,000 faces. Beyond, average linkage and Ward look for neighbours among cells while more
    groups than that are left, and the result states the recall; distances of groups stay exact.
    Up to a threshold, faces that lie well within it are then merged first, component by component; so they are on other
    machines, whatever the number. Memory is O(N D); complete linkage holds N x N.

    Args:
        embeddings: unit rows, shape (N, D).
        threshold: largest distance of two groups that still merges them, squared L2; or
        n_clusters: how many groups are left.
        linkage: the distance of two groups: "average", the mean over their pairs of faces; "single", the least;
            "complete", the largest; "ward", twice the growth of the sum of squares (SciPy's is its root).
        constraints: faces that must or may not be together; not with single linkage, whose spanning tree knows none.
        search: how nearest groups are found: "exact", "partition" (among cells), or by their number ("auto").
        saved: a mapping that keeps the long searches, such as `facespace.saved_arrays.ArrayFolder`: the same call
            with the same mapping goes on from there.
        on_progress: called now and then with (done, in all), in faces.
        workers: who searches and merges, in average linkage and Ward; a number of threads, all cores when None.

    Raises:
        InputError: other shapes, rows that are not of unit length, no or two goals, constraints that contradict
            each other, too many faces for complete linkage.
    """
    rows = check_embeddings(embeddings)
    limit = _limit(len(rows), threshold, n_clusters)
    if linkage not in get_args(Linkage):
        raise InputError(f"linkage: expected one of {get_args(Linkage)}, got {linkage!r}")
    if linkage == "single" and constraints is not None:
        raise InputError("constraints: single linkage knows none; use average, ward or complete")
    start, conflicts = (constraints or Constraints()).resolve(len(rows))
    _check_reachable(n_clusters, conflicts)
    report = on_progress or (lambda done, total: None)
    plan = SearchPlan(search, saved, lambda done, total: report(done, 2 * total), workers)
    found = _merged(
        rows, start, conflicts, linkage, limit, plan, lambda done, most: report(most + done, 2 * most)
    )
    # What the constraints have merged: each face with the first one of its group.
    _, firsts = np.unique(start, return_index=True)
    others = np.setdiff1d(np.arange(len(start)), firsts)
    given = Merges(firsts[start[others]], others, np.zeros(len(others)))
    tree = grow(Merges.join([given, found.at(firsts)]), len(rows))
    if threshold is not None:
        return Clustering(cut(tree, len(rows), threshold=np.inf), tree, plan.recall)
    labels = cut(tree, len(rows), n_clusters=n_clusters)
    return Clustering(labels, tree[: len(rows) - int(n_clusters or 0)], plan.recall)


def _limit(n: int, threshold: float | None, n_clusters: int | None) -> float:
    if (threshold is None) == (n_clusters is None):
        raise InputError(
            "expected either threshold or n_clusters, got " + ("none" if threshold is None else "both")
        )
    if threshold is not None and not threshold >= 0:
        raise InputError(f"threshold: expected a distance of 0 or more, got {threshold}")
    if n_clusters is not None and not min(1, n) <= n_clusters <= n:
        raise InputError(f"n_clusters: expected 1 to {n}, got {n_clusters}")
    return np.inf if threshold is None else float(threshold)


def _check_reachable(n_clusters: int | None, conflicts: Conflicts) -> None:
    """The constraints' own bounds; what listed pairs make impossible shows only at the end."""
    fewest, most = int(conflicts.fixed.sum()), conflicts.n
    if n_clusters is not None and not fewest <= n_clusters <= most:
        raise InputError(f"n_clusters: expected {fewest} to {most} under these constraints, got {n_clusters}")


def _merged(
    rows: NDArray[np.float32],
    start: NDArray[np.int64],
    conflicts: Conflicts,
    linkage: Linkage,
    limit: float,
    plan: SearchPlan,
    on_merge: Progress,
) -> Merges:
    """The merges of the groups that the faces start in."""
    if linkage == "single":
        return spanning_tree(rows, limit, on_merge)
    if linkage == "complete":
        return _complete(rows, start, conflicts, limit)
    groups, begun = Groups.of_faces(rows, start, linkage), Merges.join([])
    # Components of what lies well within the limit first, where the plan has it so; then the whole.
    if (pairs := plan.near_pairs(groups, conflicts, NEAR * limit)) is not None:
        with threadpool_limits(
            1, user_api="blas"
        ):  # as in a search: many products at a time, of one thread each
            begun = merge_near(groups, conflicts, pairs, NEAR * limit, plan.workers)
    del pairs
    return Rounds(groups, conflicts, limit, make_search=plan, on_merge=on_merge, begun=begun).run()


def _complete(
    rows: NDArray[np.float32], start: NDArray[np.int64], conflicts: Conflicts, limit: float
) -> Merges:
    if len(rows) > MAX_COMPLETE:
        raise InputError(
            f"complete linkage: expected at most {MAX_COMPLETE} faces, got {len(rows)}; use average linkage"
        )
    matrix = complete_matrix(rows, start)
    matrix[conflicts.of(np.arange(len(matrix)))] = np.inf
    return chain(matrix, np.bincount(start).astype(np.float64), "complete", limit)
