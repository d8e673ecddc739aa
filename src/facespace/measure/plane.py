"""Figure 10: faces of a few people by two versions in one plane, with those that the newer one puts right."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.measure.faces import EmbeddedFaces

__all__ = ["Moves", "PlaneView", "find_moves", "view_plane"]

N_PEOPLE = 3


@dataclass(frozen=True)
class Moves:
    """Whom each face is nearest to, by the older version and by the newer one.

    A person's place is the mean of their faces by the older version, for the newer one too: that is what a probe meets
    in an old gallery. The face itself is left out of its own person's mean.

    Attributes:
        old_nearest: int64, shape (N,), the identity whose place is nearest to the face by v1.
        new_nearest: int64, shape (N,), by v2.
        labels: int64, shape (N,), who it is.
    """

    old_nearest: NDArray[np.int64]
    new_nearest: NDArray[np.int64]
    labels: NDArray[np.int64]

    @property
    def put_right(self) -> NDArray[np.bool_]:
        """Nearest to another person by v1, to their own by v2; shape (N,)."""
        return (self.old_nearest != self.labels) & (self.new_nearest == self.labels)

    @property
    def spoilt(self) -> NDArray[np.bool_]:
        """The reverse; shape (N,)."""
        return (self.old_nearest == self.labels) & (self.new_nearest != self.labels)


@dataclass(frozen=True)
class PlaneView:
    """Faces of three people in the plane through their places by v1.

    Attributes:
        face_idx: int64, shape (M,), which of the faces are shown.
        old_xy: shape (M, 2), by v1.
        new_xy: shape (M, 2), by v2.
        person_idx: int64, shape (M,), who each is.
        people: the three identities.
        moved: bool, shape (M,), put right, and misplaced at another of the three.
    """

    face_idx: NDArray[np.int64]
    old_xy: NDArray[np.float64]
    new_xy: NDArray[np.float64]
    person_idx: NDArray[np.int64]
    people: tuple[int, ...]
    moved: NDArray[np.bool_]


def find_moves(old: EmbeddedFaces, new: EmbeddedFaces) -> Moves:
    """Whom each face is nearest to by either version; ``old`` and ``new`` hold the same faces."""
    labels, rows = old.labels, old.embeddings.astype(np.float64)
    sums = np.zeros((len(old.identities), rows.shape[1]))
    np.add.at(sums, labels, rows)
    places = _unit(sums)
    own_place = _unit(sums[labels] - rows)
    return Moves(
        _nearest(rows, places, own_place, labels), _nearest(new.embeddings, places, own_place, labels), labels
    )


def view_plane(old: EmbeddedFaces, new: EmbeddedFaces, moves: Moves) -> PlaneView:
    """The plane of the three people among whom most faces are put right."""
    people = _people(moves, len(old.identities))
    places = [old.embeddings[old.labels == p].mean(0, dtype=np.float64) for p in people]
    origin = np.mean(places, 0)
    axes = np.linalg.svd(np.array(places) - origin)[2][:2]
    face_idx = np.flatnonzero(np.isin(old.labels, people))
    moved = moves.put_right[face_idx] & np.isin(moves.old_nearest[face_idx], people)
    old_xy, new_xy = ((f.embeddings[face_idx] - origin) @ axes.T for f in (old, new))
    return PlaneView(face_idx, old_xy, new_xy, old.labels[face_idx], people, moved)


def _people(moves: Moves, n: int) -> tuple[int, ...]:
    """The pair with most exchanged faces that are put right, then whoever adds most to it; ties by name."""
    exchanged = np.zeros((n, n), np.int64)
    right = moves.put_right
    np.add.at(exchanged, (moves.labels[right], moves.old_nearest[right]), 1)
    exchanged += exchanged.T
    first, second = divmod(int(exchanged.argmax()), n)
    if first == second:  # nobody was put right: any three
        return tuple(range(min(N_PEOPLE, n)))
    added = exchanged[first] + exchanged[second]
    added[[first, second]] = -1
    return first, second, int(added.argmax())


def _nearest(
    rows: NDArray[np.floating],
    places: NDArray[np.float64],
    own_place: NDArray[np.float64],
    labels: NDArray[np.int64],
) -> NDArray[np.int64]:
    cosines = rows @ places.T
    cosines[np.arange(len(rows)), labels] = (rows * own_place).sum(1)
    return cosines.argmax(1)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    made: NDArray[np.float64] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return made
