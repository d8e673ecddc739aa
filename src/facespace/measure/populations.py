"""The distance at each FAR on people of all ages and origins, and on the group that is hardest to tell apart.

The hold-out set shows public figures, nearly all of them adults; a threshold that holds for them lets far more through
among children. The faces behind these populations are those that no built-in model was trained on.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from facespace.measure.context import Context
from facespace.measure.unnamed_faces import Group, HeldOut, embed_unnamed
from facespace.metrics import PairCounts, count_mixed_pairs, count_pairs
from facespace.metrics.operating_point import MIN_FALSE_ACCEPTS
from facespace.models import FARS, far_key

__all__ = [
    "EVERYONE",
    "MIXED",
    "PUBLIC_FIGURES",
    "STRICTEST",
    "Populations",
    "measure_mixed",
    "measure_populations",
    "stricter",
]

EVERYONE, MIXED, STRICTEST, PUBLIC_FIGURES = "everyone", "mixed", "strictest-group", "public-figures"
# Faces of each age group: as many of each, so that children weigh as much as adults.
PER_AGE = 600
LEAST = 300
STRICT_KINDS = ("age", "origin")

# Name of a population -> distance at each FAR, None where its pairs do not support the rate.
Populations = dict[str, dict[str, float | None]]


def measure_populations(held_out: HeldOut) -> Populations:
    """The distances of a model on all ages and origins in equal shares, and of the strictest group."""
    chosen, rows = held_out.chosen, held_out.rows
    found = {MIXED: _distances(rows[balanced(held_out)])}
    groups = [_rows(chosen, g) for g in held_out.faces.groups() if g.kind in STRICT_KINDS]
    of_groups = [_distances(rows[members]) for members in groups if len(members) >= LEAST]
    strictest = {
        far_key(far): min((d for of in of_groups if (d := of[far_key(far)]) is not None), default=None)
        for far in FARS
    }
    return {**found, STRICTEST: strictest}


def stricter(a: Mapping[str, float | None], b: Mapping[str, float | None]) -> dict[str, float | None]:
    """The smaller distance at each FAR of ``a``; where one side's pairs do not support a rate, the other's."""
    return {key: min((d for d in (a[key], b.get(key)) if d is not None), default=None) for key in a}


def measure_mixed(held_out: HeldOut, other: Context) -> dict[str, float | None]:
    """The distance at each FAR between faces by one model and other faces by another, on the mixed population.

    Args:
        held_out: by the one.
        other: context of the other.
    """
    mixed = balanced(held_out)
    of_other = embed_unnamed(held_out.faces, held_out.chosen[mixed], other)
    return _at_each(count_mixed_pairs(held_out.rows[mixed], of_other, np.arange(len(mixed))))


def balanced(held_out: HeldOut) -> NDArray[np.int64]:
    """Rows of at most `PER_AGE` faces of each age group, of its origins equally many."""
    groups, chosen = held_out.faces.groups(), held_out.chosen
    origins = [set(g.members.tolist()) for g in groups if g.kind == "origin"]
    taken: list[int] = []
    for age in (g for g in groups if g.kind == "age"):
        places = _rows(chosen, age)
        queues = [[p for p in places if chosen[p] in origin][::-1] for origin in origins]
        n = 0
        while n < PER_AGE and any(queues):
            for queue in queues:
                if queue and n < PER_AGE:
                    taken.append(queue.pop())
                    n += 1
    return np.sort(np.array(taken, np.int64))


def _rows(chosen: NDArray[np.int64], group: Group) -> NDArray[np.int64]:
    return np.flatnonzero(np.isin(chosen, group.members))


def _distances(rows: NDArray[np.float32]) -> dict[str, float | None]:
    """Of pairs of different people alone: every face is a person of its own."""
    return _at_each(count_pairs(rows, np.arange(len(rows))))


def _at_each(counts: PairCounts) -> dict[str, float | None]:
    return {
        far_key(far): counts.distance_at(far) if counts.n_diff * far >= MIN_FALSE_ACCEPTS else None
        for far in FARS
    }
