"""Do people stand in two sets that should be disjoint, such as training and test? By name, and by embedding."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from facespace.errors import InputError
from facespace.measure.context import Context
from facespace.measure.experiment import Option, experiment
from facespace.measure.faces import EmbeddedFaces, prototypes
from facespace.measure.result import MEASURED, Column, Result, Table, plain
from facespace.metrics import count_pairs, near_pairs
from facespace.metrics.operating_point import MIN_FALSE_ACCEPTS

# Rare enough that different people among thousands of identities seldom seem to be one person.
LEAK_FAR = 1e-5


@dataclass(frozen=True)
class SharedIdentity:
    """An identity of each set that seem to be one person."""

    train: str  # its name in the first set
    test: str  # its name in the second
    same_name: bool  # whether the names say so
    distance: float  # of their prototypes, the normalised means of their faces
    n_train: int  # faces of the first
    n_test: int  # faces of the second


@dataclass(frozen=True)
class LeakReport:
    """Identities that seem to stand in both sets, nearest first."""

    # pairs of identities with one name, or with prototypes as near as the threshold
    shared: tuple[SharedIdentity, ...]
    threshold: float  # that distance
    # share of the pairs of identities inside a set, who are different people, that are as near; None where
    # the threshold was given
    far: float | None
    n_train: int  # identities of the first set
    n_test: int  # of the second
    n_by_name: int  # how many of the shared have one name
    n_by_embedding: int  # how many are near
    # near pairs that different people alone would give: all pairs of identities x ``far``
    expected_by_chance: float | None


def find_leaks(
    train: EmbeddedFaces, test: EmbeddedFaces, *, far: float | None = None, threshold: float | None = None
) -> LeakReport:
    """Name the identities that seem to stand in both sets.

    Identities are compared by their prototypes. These lie closer together than single faces do, so that no threshold
    of single faces fits them: it comes from the sets themselves, in each of which two identities are two people.
    Names count as one whatever their case, accents, spaces and underscores.

    Args:
        train: faces of one set.
        test: of the other, by the same model.
        far: share of the pairs of different people that may seem to be one; the least that the sets support, down to
            `LEAK_FAR`, when absent.
        threshold: largest distance of two prototypes in place of that of ``far``.

    Raises:
        InputError: sets of different dimensions, or too few identities for ``far``.
    """
    if train.embeddings.shape[1] != test.embeddings.shape[1]:
        raise InputError(
            f"expected sets of one model, got {train.embeddings.shape[1]} and {test.embeddings.shape[1]} dimensions"
        )
    of_train, a, n_train = prototypes(train.embeddings, train.labels)
    of_test, b, n_test = prototypes(test.embeddings, test.labels)
    first, second = ([s.identities[k] for k in people] for s, people in ((train, of_train), (test, of_test)))
    if threshold is None:
        threshold, far = _threshold(a, b, far)
    else:
        far = None
    found = near_pairs(a, np.arange(len(a)), b, len(a) + np.arange(len(b)), limit=threshold)
    near = set(zip(found.row.tolist(), found.column.tolist(), strict=True))
    names = _same_names(first, second)
    shared = [
        SharedIdentity(
            first[i],
            second[j],
            (i, j) in names,
            float(((a[i] - b[j]) ** 2).sum()),
            int(n_train[i]),
            int(n_test[j]),
        )
        for i, j in near | names
    ]
    shared.sort(key=lambda pair: (pair.distance, pair.train, pair.test))
    chance = None if far is None else far * len(a) * len(b)
    return LeakReport(tuple(shared), threshold, far, len(a), len(b), len(names), len(near), chance)


def _threshold(a: NDArray[np.float32], b: NDArray[np.float32], far: float | None) -> tuple[float, float]:
    """The distance that ``far`` stands for among the prototypes of each set, and that rate."""
    counts = count_pairs(a, np.arange(len(a))) + count_pairs(b, np.arange(len(b)))
    least = MIN_FALSE_ACCEPTS / max(1, counts.n_diff)
    rate = max(LEAK_FAR, least) if far is None else far
    if rate < least or rate > 1:
        raise InputError(
            f"{len(a)} and {len(b)} identities make {counts.n_diff} pairs of different people, too few for FAR "
            f"{rate:.3g}: give a threshold instead, or a rate of {least:.2g} or more"
        )
    return counts.distance_at(rate), rate


def _same_names(train: list[str], test: list[str]) -> set[tuple[int, int]]:
    known: dict[str, list[int]] = {}
    for i, name in enumerate(train):
        known.setdefault(_plain(name), []).append(i)
    return {(i, j) for j, name in enumerate(test) for i in known.get(_plain(name), []) if _plain(name)}


def _plain(name: str) -> str:
    """Letters and digits alone, without accents and case."""
    bare = unicodedata.normalize("NFKD", name)
    bare = "".join(c for c in bare if not unicodedata.combining(c)).casefold()
    return re.sub(r"[\W_]+", "", bare)


@experiment(
    "The test sets hold no person of the training set.",
    needs=("model", "workers"),
    example="faces/train faces/val",
)
def run(
    context: Context,
    *,
    train: Annotated[
        Path,
        Option(
            "One set: crops in folders <identity>/<image>, a FaceTable, or an .npz with 'embedding' and 'labels'.",
            argument=True,
        ),
    ],
    test: Annotated[Path, Option("The other set, likewise.", argument=True)],
    far: Annotated[
        float | None,
        Option(
            "Share of pairs of different people that may seem to be one person; the least supported unless given."
        ),
    ] = None,
    threshold: Annotated[
        float | None, Option("Distance of prototypes, instead of that of the FAR.", min=0.0, max=4.0)
    ] = None,
) -> Result:
    """Name identities that seem to stand in both sets, by name and by embedding."""
    report = find_leaks(context.read(train), context.read(test), far=far, threshold=threshold)
    columns = (
        Column("first set"), Column("second set"), Column("one name"), Column("distance", "distance"),
        Column("faces in the first", "count"), Column("in the second", "count"),
    )  # fmt: skip
    rows = tuple(
        (pair.train, pair.test, "yes" if pair.same_name else "", pair.distance, pair.n_train, pair.n_test)
        for pair in report.shared
    )
    chance = () if report.expected_by_chance is None else (
        f"Different people alone would give about {report.expected_by_chance:.1f} pairs so near.",
    )  # fmt: skip
    return Result(
        MEASURED,
        f"{len(report.shared)} pairs of identities seem to be one person, of {report.n_train:,} x {report.n_test:,}: "
        f"{report.n_by_name} by name, {report.n_by_embedding} by prototypes within {report.threshold:.3f}.",
        (Table("Identities that seem to stand in both sets, nearest first.", columns, rows),),
        chance,
        figures=plain(report),
    )
