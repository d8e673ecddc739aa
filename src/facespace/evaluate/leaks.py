"""Do people stand in two sets that should be disjoint, such as training and test? By name, and by embedding."""

import re
import unicodedata
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.evaluate.holdout import HoldoutFaces

__all__ = ["LeakReport", "SharedIdentity", "find_leaks"]


@dataclass(frozen=True)
class SharedIdentity:
    """An identity of each set that seem to be one person.

    Attributes:
        train: its name in the first set.
        test: its name in the second.
        same_name: whether the names say so.
        distance: mean distance of all pairs of a face of one with a face of the other.
        n_train: faces of the first.
        n_test: faces of the second.
    """

    train: str
    test: str
    same_name: bool
    distance: float
    n_train: int
    n_test: int


@dataclass(frozen=True)
class LeakReport:
    """Identities that seem to stand in both sets, nearest first.

    Attributes:
        shared: pairs of identities with one name, or with a mean distance of at most the threshold.
        threshold: that distance.
        n_train: identities of the first set.
        n_test: of the second.
        n_by_name: how many of the shared have one name.
        n_by_embedding: how many are near.
        expected_by_chance: at most so many near pairs of strangers, if single faces were compared: pairs of identities
            x FAR; None where the threshold stands for no FAR.
    """

    shared: tuple[SharedIdentity, ...]
    threshold: float
    n_train: int
    n_test: int
    n_by_name: int
    n_by_embedding: int
    expected_by_chance: float | None


def find_leaks(
    train: HoldoutFaces, test: HoldoutFaces, *, threshold: float, far: float | None = None
) -> LeakReport:
    """Name the identities that seem to stand in both sets.

    The mean distance of two identities comes from their mean embeddings, so that no face meets another. Names count as
    one whatever their case, accents, spaces and underscores.

    Args:
        train: faces of one set.
        test: of the other, by the same model.
        threshold: largest mean distance of what counts as one person.
        far: what the threshold stands for.

    Raises:
        InputError: sets of different dimensions.
    """
    if train.embeddings.shape[1] != test.embeddings.shape[1]:
        raise InputError(
            f"expected sets of one model, got {train.embeddings.shape[1]} and {test.embeddings.shape[1]} dimensions"
        )
    (a, n_train), (b, n_test) = _means(train), _means(test)
    places = _same_names(train.identities, test.identities)
    n_by_name = len(places)
    near = 0
    # Some identities of the first set at a time: all pairs of identities need not stand in memory.
    for start in range(0, len(a), 1024):
        rows, columns = np.nonzero(2.0 - 2.0 * a[start : start + 1024] @ b.T <= threshold)
        near += len(rows)
        places |= {(int(i) + start, int(j)) for i, j in zip(rows, columns, strict=True)}
    names = _same_names(train.identities, test.identities)
    shared = [
        SharedIdentity(
            train.identities[i],
            test.identities[j],
            (i, j) in names,
            float(np.clip(2.0 - 2.0 * a[i] @ b[j], 0.0, 4.0)),
            int(n_train[i]),
            int(n_test[j]),
        )
        for i, j in places
    ]
    shared.sort(key=lambda pair: (pair.distance, pair.train, pair.test))
    chance = None if far is None else far * len(a) * len(b)
    return LeakReport(tuple(shared), threshold, len(a), len(b), n_by_name, near, chance)


def _means(faces: HoldoutFaces) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean unit row of each identity, shape (P, D), and its number of faces."""
    rows = faces.embeddings.astype(np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    sums = np.zeros((len(faces.identities), rows.shape[1]))
    np.add.at(sums, faces.labels, rows)
    sizes = np.bincount(faces.labels, minlength=len(faces.identities))
    return sums / np.maximum(sizes, 1)[:, None], sizes


def _same_names(train: tuple[str, ...], test: tuple[str, ...]) -> set[tuple[int, int]]:
    known: dict[str, list[int]] = {}
    for i, name in enumerate(train):
        known.setdefault(_plain(name), []).append(i)
    return {(i, j) for j, name in enumerate(test) for i in known.get(_plain(name), []) if _plain(name)}


def _plain(name: str) -> str:
    """Letters and digits alone, without accents and case."""
    bare = unicodedata.normalize("NFKD", name)
    bare = "".join(c for c in bare if not unicodedata.combining(c)).casefold()
    return re.sub(r"[\W_]+", "", bare)
