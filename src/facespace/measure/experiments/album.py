"""The main job, scored: photos of known people are grouped, and the groups compared with the truth."""

from dataclasses import dataclass
from pathlib import Path

from facespace.cluster import collection_threshold
from facespace.cluster.threshold import STRANGERS_IN_REACH
from facespace.gallery import read_labels
from facespace.measure.album import evaluate_album, extract_album
from facespace.measure.context import Context
from facespace.measure.experiment import Experiment, option
from facespace.measure.result import MEASURED, Column, Result, Table, plain

__all__ = ["ALBUM", "EXPERIMENT", "Options"]

# Below the data folder.
ALBUM = "albums/people"


@dataclass(frozen=True)
class Options:
    """Which photos, and how closely they are grouped.

    Attributes:
        photos: Folder of photos; DATA/albums/people unless given.
        labels: CSV file with columns photo,person; labels.csv in that folder unless given.
        strangers: Faces of other people that are expected within the threshold of a face.
        far: False-accept rate of a single pair, in place of --strangers.
    """

    photos: Path | None = option(None, argument=True)
    labels: Path | None = None
    strangers: float = STRANGERS_IN_REACH
    far: float | None = None


def run(options: Options, context: Context) -> Result:
    """Group photos of known people and score the groups; the labelled person is the largest face."""
    folder = options.photos or context.data / ALBUM
    broken: list[str] = []
    labels = read_labels(options.labels or folder / "labels.csv", on_broken=broken.append)
    album = extract_album(
        folder,
        labels,
        context.detector,
        context.embedder,
        workers=context.setup.workers,
        on_step=context.on_step,
    )
    chosen = collection_threshold(
        context.embedder.spec.distances, len(album.embeddings), strangers=options.strangers, far=options.far
    )
    figures = evaluate_album(album, threshold=chosen.distance)
    columns = (
        Column("score"), Column("precision", "percent"), Column("recall", "percent"), Column("F1", "percent"),
    )  # fmt: skip
    scores = (("pairwise", figures.pairwise), ("BCubed", figures.bcubed))
    rows = tuple((name, s.precision, s.recall, s.f1) for name, s in scores)
    return Result(
        MEASURED,
        f"Pairwise F1 {figures.pairwise.f1:.4f}, precision {figures.pairwise.precision:.4f}: {figures.n_faces} faces "
        f"of {figures.n_photos} labelled photos ({figures.n_misses} without a face) fall into {figures.n_people} "
        f"groups at distance {figures.threshold:.3f}.",
        (Table("Groups against labels.", columns, rows),),
        (
            "A photo without a detected face counts as a person of its own.",
            f"Best F1 at any threshold, chosen on this album itself: {figures.best_f1:.4f} at "
            f"{figures.best_threshold:g}.",
            *broken,
        ),
        figures=plain(figures),
    )


EXPERIMENT = Experiment(
    paper="One cluster of a user's photo collection is shown (Figure 7); no figure is given.",
    run=run,
    options=Options,
    needs=("data", "model", "detector", "workers"),
)
