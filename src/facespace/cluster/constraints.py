"""Constraints: faces that are one person, and faces that are not; contradictions are named, never guessed away."""

import dataclasses
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.cluster.conflicts import Conflicts
from facespace.cluster.tree import roots
from facespace.errors import InputError

SHOWN = 3


@dataclass(frozen=True)
class Constraints:
    """Faces that must or may not be in one group; they hold exactly, through every merge.

    Attributes:
        photo: int, shape (N,); two faces of one photo are two people; -1 where nothing is known.
        person: int, shape (N,); confirmed people: faces of one number are together, faces of two numbers are
            not; -1 where nothing is confirmed.
        must_link: int, shape (P, 2), pairs of faces of one person.
        cannot_link: int, shape (Q, 2), pairs of faces of two people. "Not this person" is a pair with any
            face of that person.
    """

    photo: NDArray[np.integer] | None = None
    person: NDArray[np.integer] | None = None
    must_link: Sequence[tuple[int, int]] | NDArray[np.integer] = ()
    cannot_link: Sequence[tuple[int, int]] | NDArray[np.integer] = ()

    def resolve(self, n: int) -> tuple[NDArray[np.int64], Conflicts]:
        """What the constraints mean for ``n`` faces.

        Returns:
            the group 0 .. M - 1 that each face starts in, int64, shape (n,), and which of these may not join.

        Raises:
            InputError: other shapes, faces that do not exist, or constraints that contradict each other.
        """
        together, apart, person = self.links(n)
        root = components(n, together)
        broken = contradictions(root, apart, person)
        if len(broken):
            named = "; ".join(_name(int(i), int(j), together) for i, j in broken[:SHOWN])
            more = f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
            raise InputError(f"constraints contradict each other: {named}{more}; drop one link of each chain")
        roots, start = np.unique(root, return_inverse=True)
        fixed = np.zeros(len(roots), bool)
        fixed[start[person >= 0]] = True
        return start, Conflicts(len(fixed), start[apart], fixed)

    def links(self, n: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Pairs of faces that are together, pairs that are not, and the confirmed person of each face or -1.

        Raises:
            InputError: other shapes or faces that do not exist.
        """
        photo, person = _column(self.photo, n, "photo"), _column(self.person, n, "person")
        together = np.concatenate([_pairs(self.must_link, n, "must_link"), chains(person)])
        apart = np.concatenate([_pairs(self.cannot_link, n, "cannot_link"), _cliques(photo)])
        return together, apart, person

    def with_groups(self, labels: NDArray[np.int64]) -> "Constraints":
        """These, and that the faces of each group are together; ``labels``, shape (N,), are -1 for none.

        Raises:
            InputError: as of `links`.
        """
        together = self.links(len(labels))[0]
        return dataclasses.replace(self, must_link=np.concatenate([together, chains(labels)]))

    def subset(self, faces: NDArray[np.int64], n: int) -> "Constraints":
        """The constraints among some of ``n`` faces, numbered as in ``faces``."""
        place = np.full(n, -1)
        place[faces] = np.arange(len(faces))
        must, cannot = (
            place[_pairs(self.must_link, n, "must_link")],
            place[_pairs(self.cannot_link, n, "cannot_link")],
        )
        return Constraints(
            photo=_column(self.photo, n, "photo")[faces],
            person=_column(self.person, n, "person")[faces],
            must_link=must[(must >= 0).all(1)],
            cannot_link=cannot[(cannot >= 0).all(1)],
        )


def _column(values: NDArray[np.integer] | None, n: int, name: str) -> NDArray[np.int64]:
    if values is None:
        return np.full(n, -1, np.int64)
    if np.shape(values) != (n,) or np.asarray(values).dtype.kind not in "iu":
        raise InputError(
            f"constraints.{name}: expected integers of shape ({n},), got {np.asarray(values).dtype} of shape "
            f"{np.shape(values)}"
        )
    return np.asarray(values, np.int64)


def _pairs(pairs: Sequence[tuple[int, int]] | NDArray[np.integer], n: int, name: str) -> NDArray[np.int64]:
    array = np.asarray(pairs if len(pairs) else np.zeros((0, 2), np.int64))
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        raise InputError(
            f"constraints.{name}: expected pairs of face numbers, shape (P, 2), got {array.shape}"
        )
    if array.size and not (array.min() >= 0 and array.max() < n):
        raise InputError(
            f"constraints.{name}: expected faces 0 to {n - 1}, got {array.min()} to {array.max()}"
        )
    return array.astype(np.int64)


def chains(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each face with the next one of its number, shape (P, 2)."""
    order = np.argsort(numbers, kind="stable")
    order = order[numbers[order] >= 0]
    linked = numbers[order[1:]] == numbers[order[:-1]]
    return np.stack([order[:-1][linked], order[1:][linked]], axis=1)


def _cliques(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """All pairs of faces of one number, shape (P, 2)."""
    order = np.argsort(numbers, kind="stable")
    order = order[numbers[order] >= 0]
    found, step = [np.zeros((0, 2), np.int64)], 1
    while (alike := numbers[order[step:]] == numbers[order[: len(order) - step]]).any():
        found.append(np.stack([order[:-step][alike], order[step:][alike]], axis=1))
        step += 1
    return np.concatenate(found)


def overlapping(
    video: NDArray[np.integer], begin_s: NDArray[np.float64], end_s: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Pairs of tracks of one video that share a moment, shape (P, 2): they show two people.

    Args:
        video: shape (N,), of each track; below 0 for what is no track.
        begin_s: shape (N,), when it begins.
        end_s: when it ends; that moment included.
    """
    tracks = np.flatnonzero(np.asarray(video) >= 0)
    tracks = tracks[np.lexsort((begin_s[tracks], video[tracks]))]
    pairs = []
    for at, i in enumerate(tracks.tolist()):
        for j in tracks[at + 1 :].tolist():
            if video[j] != video[i] or begin_s[j] > end_s[i]:
                break
            pairs.append((i, j))
    return np.array(pairs, np.int64).reshape(-1, 2)


def components(n: int, pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """The smallest face that each face is linked to, shape (n,)."""
    root = np.arange(n)
    while (root[pairs[:, 0]] != root[pairs[:, 1]]).any():
        a, b = root[pairs[:, 0]], root[pairs[:, 1]]
        np.minimum.at(root, np.maximum(a, b), np.minimum(a, b))
        root = roots(root)
    return root


def contradictions(
    root: NDArray[np.int64], apart: NDArray[np.int64], person: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Pairs of faces that have one root and may not be one person, one or more of each such root, shape (P, 2)."""
    confirmed = np.flatnonzero(person >= 0)
    order = confirmed[np.argsort(root[confirmed], kind="stable")]
    mixed = (root[order[1:]] == root[order[:-1]]) & (person[order[1:]] != person[order[:-1]])
    two_people = np.stack([order[:-1][mixed], order[1:][mixed]], axis=1)
    return np.concatenate([apart[root[apart[:, 0]] == root[apart[:, 1]]], two_people])


def _name(i: int, j: int, together: NDArray[np.int64]) -> str:
    chain = " = ".join(map(str, _path(i, j, together)))
    return f"faces {i} and {j} may not be one person, yet {chain}"


def _path(i: int, j: int, pairs: NDArray[np.int64]) -> list[int]:
    """The shortest chain of linked faces from ``i`` to ``j``."""
    linked: dict[int, list[int]] = {}
    for a, b in pairs.tolist():
        linked.setdefault(a, []).append(b)
        linked.setdefault(b, []).append(a)
    came_from, queue = {i: i}, deque([i])
    while queue and j not in came_from:
        at = queue.popleft()
        for other in linked.get(at, []):
            if other not in came_from:
                came_from[other] = at
                queue.append(other)
    path = [j]
    while path[-1] != i:
        path.append(came_from[path[-1]])
    return path[::-1]
