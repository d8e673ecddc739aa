"""Faces of a few people by two versions in one plane, with those that the newer one corrects (paper, Figure 10)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facespace.measure.context import Context
from facespace.measure.experiment import experiment
from facespace.measure.experiments.harmonic import NOT_TRAINED, find_versions
from facespace.measure.faces import EmbeddedFaces
from facespace.measure.result import MEASURED, Plot, Result, Series

N_PEOPLE = 3


@dataclass(frozen=True)
class Moves:
    """Whom each face is nearest to, by the older version and by the newer one.

    A person's place is the mean of their faces by the older version, for the newer one too: that is what a probe meets
    in an old gallery. The face itself is left out of its own person's mean.
    """

    old_nearest: NDArray[np.int64]  # int64, shape (N,), the identity whose place is nearest to the face by v1
    new_nearest: NDArray[np.int64]  # int64, shape (N,), by v2
    labels: NDArray[np.int64]  # int64, shape (N,), who it is

    @property
    def corrected(self) -> NDArray[np.bool_]:
        """Nearest to another person by v1, to their own by v2; shape (N,)."""
        return (self.old_nearest != self.labels) & (self.new_nearest == self.labels)

    @property
    def spoilt(self) -> NDArray[np.bool_]:
        """The reverse; shape (N,)."""
        return (self.old_nearest == self.labels) & (self.new_nearest != self.labels)


@experiment(
    "A sketch of how embeddings of two versions lie in one space after harmonic training.",
    needs=("data", "model", "old", "runs", "workers"),
    example="--data DIR --old v1.onnx -o figure10.html",
    report={},
)
def run(context: Context) -> Result:
    """Three people by the model and the first older one, else by the first harmonic run below --runs."""
    title, models = next(iter(find_versions(context).items()), ("", None))
    if models is None:
        return NOT_TRAINED
    old, new = (context.embedded(context.holdout, model) for model in (models.old, models.new))
    moves = find_moves(old, new)
    n, corrected, spoilt = len(moves.labels), int(moves.corrected.sum()), int(moves.spoilt.sum())
    wrong = int((moves.old_nearest != moves.labels).sum())
    return Result(
        MEASURED,
        f"{title}: {wrong:,} of {n:,} faces are nearest to another person's place by v1; v2 corrects "
        f"{corrected:,} of them, and gets {spoilt:,} wrong that v1 has right.",
        (draw_plane(old, new, moves),),
        (
            "The paper draws a sketch with one misplaced face; these are measured. A person's place is the mean of "
            "their faces by v1, without the face itself; misplaced is a face nearest to another's place by v1, "
            "corrected one that is nearest to its own, of v1 too, by v2.",
            "The three people are the two between whom most faces are corrected, and the one who adds most to them; "
            "the plane is that of their three places, so that distances in it are shorter than in the space.",
        ),
        figures={"n_faces": n, "misplaced": wrong, "corrected": corrected, "spoilt": spoilt},
    )


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


def draw_plane(old: EmbeddedFaces, new: EmbeddedFaces, moves: Moves) -> Plot:
    """The plane of the three people among whom most faces are corrected, with an arrow for each face that is."""
    people = _people(moves, len(old.identities))
    places = [old.embeddings[old.labels == p].mean(0, dtype=np.float64) for p in people]
    origin = np.mean(places, 0)
    axes = np.linalg.svd(np.array(places) - origin)[2][:2]
    old_xy, new_xy = ((faces.embeddings - origin) @ axes.T for faces in (old, new))
    series = [
        Series(
            f"{old.identities[p]}, {version}",
            *_columns(xy[old.labels == p]),
            line=False,
            colour=k,
            hollow=version == "v1",
        )
        for k, p in enumerate(people)
        for xy, version in ((old_xy, "v1"), (new_xy, "v2"))
    ]
    moved = moves.corrected & np.isin(old.labels, people) & np.isin(moves.old_nearest, people)
    if moved.any():
        ends = np.stack([old_xy[moved], new_xy[moved]], axis=1).reshape(-1, 2)
        series.append(Series("misplaced by v1, corrected by v2", *_columns(ends), arrows=True, colour=5))
    return Plot(
        "Faces of three people by v1 (rings) and v2 (dots) in one plane.", "", "", tuple(series), bare=True
    )


def _people(moves: Moves, n: int) -> tuple[int, ...]:
    """The pair with most exchanged faces that are corrected, then whoever adds most to it; ties by name."""
    exchanged = np.zeros((n, n), np.int64)
    right = moves.corrected
    np.add.at(exchanged, (moves.labels[right], moves.old_nearest[right]), 1)
    exchanged += exchanged.T
    first, second = divmod(int(exchanged.argmax()), n)
    if first == second:  # nobody was corrected: any three
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


def _columns(points: NDArray[np.floating]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    x, y = (tuple(points[:, axis].round(4).tolist()) for axis in (0, 1))
    return x, y
