"""One group of a photo collection, as pictures (paper, Figure 7)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.cluster import CollectionThreshold, collection_threshold
from facespace.gallery import read_labels
from facespace.measure.context import Context
from facespace.measure.experiment import experiment
from facespace.measure.experiments.album import ALBUM, Album, extract_album, group_album, scores_table
from facespace.measure.paper import training_differs
from facespace.measure.result import (
    MEASURED,
    PictureRow,
    Pictures,
    Result,
    not_run,
    plain,
)
from facespace.metrics import bcubed_scores, pairwise_scores

RULE = (
    "Rule: the largest group that was found, whatever it holds; ordered from the face nearest the group's mean to the "
    "farthest. A face that is not of the group's most frequent labelled person is marked. No other group was looked at."
)
SHOWN = 72


@experiment(
    "One cluster of a user's photo collection, found by agglomerative clustering: invariant to occlusion, "
    "lighting, pose and even age.",
    needs=("data", "model", "detector", "workers"),
    example="--data DIR -o figure7.html",
    report={},
    version=2,
)
def run(context: Context) -> Result:
    """Group all faces of the labelled photos, score the labelled ones, show the largest group."""
    folder = context.data / ALBUM
    if not (folder / "labels.csv").is_file():
        return not_run(
            f"{folder} with its labels.csv is not among the data.", remedy="see docs/data.md for the album's layout"
        )  # fmt: skip
    album = extract_album(context, folder, read_labels(folder / "labels.csv"))
    chosen = collection_threshold(context.embedder.spec.distances, len(album.embeddings))
    grouped = group_album(album, chosen.distance)
    known = ~album.misses
    truth, labels = album.truth[known], album.labels_of(grouped.labels)[known]
    scores = {"pairwise": pairwise_scores(truth, labels), "BCubed": bcubed_scores(truth, labels)}
    shown, right, n = _largest(album, grouped.labels, folder, context)
    table = scores_table(
        f"Groups against labels, {int(known.sum())} labelled faces of {len(album.people)} people.", **scores
    )
    return Result(
        MEASURED,
        f"{len(album.embeddings):,} faces of {len(album.photos)} photos fall into {grouped.n_people} groups; the "
        f"largest holds {n}, of whose labelled faces {right} are of one person. Pairwise F1 "
        f"{100 * scores['pairwise'].f1:.1f} %.",
        (shown, table),
        _differs(chosen, int(album.misses.sum()), context),
        figures={"scores": plain(scores)},
    )


def _differs(chosen: CollectionThreshold, n_misses: int, context: Context) -> tuple[str, ...]:
    return (
        "The paper shows one cluster of a user's own photos and gives no number, linkage or threshold; here average "
        f"linkage at the distance that suits so many faces (FAR {chosen.far:.2g}, {chosen.distance:.3f}), two faces "
        "of one photo never together.",
        "albums/people is made of celebrities' pictures, not of one photographer's, and has one labelled person in "
        "each photo.",
        f"{n_misses} labelled photos without a detected face are left out of these scores.",
        training_differs(context),
    )


def _largest(
    album: Album, labels: NDArray[np.int32], folder: Path, context: Context
) -> tuple[Pictures, str, int]:
    """The largest group's faces, how many labelled ones are of one person, and how many faces there are."""
    people = np.full(len(album.embeddings), -1)
    people[album.labelled[~album.misses]] = album.truth[~album.misses]
    idx = np.flatnonzero(labels == 0)
    known = people[idx][people[idx] >= 0]
    person = int(np.bincount(known).argmax()) if len(known) else -1
    order = idx[np.argsort(-(album.embeddings[idx] @ album.embeddings[idx].mean(0)), kind="stable")]
    pictures = tuple(
        context.picture(
            folder / album.photos[album.photo_idx[i]], album.boxes_xyxy[i], wrong=bool(people[i] not in (person, -1))
        )
        for i in order[:SHOWN]
    )  # fmt: skip
    more = f", of which {SHOWN} are shown" if len(idx) > SHOWN else ""
    right = f"{int((known == person).sum())} of {len(known)}"
    return Pictures(f"{RULE} {len(idx)} faces{more}.", (PictureRow("", pictures),)), right, len(idx)
