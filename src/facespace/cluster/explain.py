"""Why two faces are, or are not, one person: the chain of merges with distances."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.cluster.constraints import Constraints
from facespace.cluster.groups import Groups
from facespace.cluster.tree import Clustering
from facespace.distances import check_embeddings, distance
from facespace.errors import InputError


@dataclass(frozen=True)
class Step:
    """A merge on the way up from a face.

    Attributes:
        distance: of the two groups.
        n_faces: of the group that holds the face, before the merge.
        n_joined: of the group that it joined.
        nearest: the face of that group that is nearest to the one explained.
    """

    distance: float
    n_faces: int
    n_joined: int
    nearest: int


@dataclass(frozen=True)
class Explanation:
    """Why two faces are one person or two.

    Attributes:
        same: whether they are in one group.
        distance: of the two faces themselves.
        group_distance: of the two groups that joined at last and brought them together; else of the two groups
            that they are in now.
        threshold: largest distance that joins groups.
        chain_a: the merges of the first face's group before, lowest first.
        chain_b: likewise of the second face's.
        may_not: the constraint that keeps the two groups apart, for people to read, else None.
    """

    same: bool
    distance: float
    group_distance: float
    threshold: float
    chain_a: tuple[Step, ...]
    chain_b: tuple[Step, ...]
    may_not: str | None = None

    def lines(self) -> list[str]:
        """The explanation in plain lines."""
        verdict = "one person" if self.same else "two people"
        how = "joined at" if self.same else "are apart by"
        lines = [
            f"{verdict}: the two faces are {self.distance:.3f} apart, their groups {how} {self.group_distance:.3f}, "
            f"the threshold is {self.threshold:.3f}"
        ]
        if self.may_not:
            lines.append(f"they may not join: {self.may_not}")
        for name, chain in (("first", self.chain_a), ("second", self.chain_b)):
            lines += [
                f"  the {name} face's group of {step.n_faces} joined {step.n_joined} at {step.distance:.3f} "
                f"(nearest face: {step.nearest})"
                for step in chain
            ]
        return lines


def explain(
    embeddings: NDArray[np.float32],
    clustering: Clustering,
    a: int,
    b: int,
    *,
    threshold: float,
    constraints: Constraints | None = None,
) -> Explanation:
    """Follow two faces up the merge tree to where they meet, or to where they stop.

    Args:
        embeddings: unit rows, shape (N, D).
        clustering: of these faces, by average linkage.
        a: number of a face.
        b: number of another.
        threshold: that the clustering was made with.
        constraints: that it was made with.

    Raises:
        InputError: faces that do not exist, or twice the same one.
    """
    rows = check_embeddings(embeddings)
    check_pair(a, b, len(rows))
    up_a, up_b = _path(clustering.merges, len(rows), a), _path(clustering.merges, len(rows), b)
    shared = set(up_a) & set(up_b)
    chain_a = tuple(_step(rows, clustering.merges, a, k) for k in up_a if k not in shared)
    chain_b = tuple(_step(rows, clustering.merges, b, k) for k in up_b if k not in shared)
    apart = float(distance(rows[a], rows[b]))
    if shared:
        met = float(clustering.merges[min(shared), 2])
        return Explanation(True, apart, met, threshold, chain_a, chain_b)
    one, other = (np.flatnonzero(clustering.labels == clustering.labels[face]) for face in (a, b))
    gap = _group_distance(rows, one, other)
    reason = _conflict(constraints, len(rows), one, other)
    return Explanation(False, apart, gap, threshold, chain_a, chain_b, reason)


def check_pair(a: int, b: int, n: int) -> None:
    """Fail unless ``a`` and ``b`` are two of ``n`` faces.

    Raises:
        InputError: faces that do not exist, or twice the same one.
    """
    for face in (a, b):
        if not 0 <= face < n:
            raise InputError(f"explain: expected faces 0 to {n - 1}, got {face}")
    if a == b:
        raise InputError(f"explain: expected two faces, got {a} twice")


def _path(merges: NDArray[np.float64], n: int, face: int) -> list[int]:
    """The merges above a face, lowest first."""
    pairs, node, path = merges[:, :2], face, []
    for k in range(max(0, node - n), len(merges)):
        if pairs[k, 0] == node or pairs[k, 1] == node:
            path.append(k)
            node = n + k
    return path


def _members(merges: NDArray[np.float64], n: int, node: int) -> NDArray[np.int64]:
    faces, stack = [], [node]
    while stack:
        at = stack.pop()
        if at < n:
            faces.append(at)
        else:
            stack += merges[at - n, :2].astype(int).tolist()
    return np.array(sorted(faces), np.int64)


def _step(rows: NDArray[np.float32], merges: NDArray[np.float64], face: int, k: int) -> Step:
    one, other = (_members(merges, len(rows), int(node)) for node in merges[k, :2])
    mine, theirs = (one, other) if face in one else (other, one)
    nearest = int(theirs[distance(rows[theirs], rows[face]).argmin()])
    return Step(float(merges[k, 2]), len(mine), len(theirs), nearest)


def _group_distance(rows: NDArray[np.float32], one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    start = np.repeat([0, 1], [len(one), len(other)])
    groups = Groups.of_faces(rows[np.concatenate([one, other])], start)
    return float(groups.distance(np.array([0]), np.array([1]))[0])


def _conflict(
    constraints: Constraints | None, n: int, one: NDArray[np.int64], other: NDArray[np.int64]
) -> str | None:
    if constraints is None:
        return None
    _, apart, person = constraints.links(n)
    pairs = np.concatenate([apart, apart[:, ::-1]])
    between = pairs[np.isin(pairs[:, 0], one) & np.isin(pairs[:, 1], other)]
    if len(between):
        return f"faces {between[0, 0]} and {between[0, 1]} share a photo or were declared two people"
    if (person[one] >= 0).any() and (person[other] >= 0).any():
        return "they are two confirmed people"
    return None
