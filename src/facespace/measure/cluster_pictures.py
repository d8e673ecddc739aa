"""Pictures of a grouping: the merge tree, the distances with the threshold, and a map of the people."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.cluster import agglomerative
from facespace.distances import check_embeddings
from facespace.errors import InputError, MissingExtraError
from facespace.saved_files import written_beside

MAX_LEAVES = 4000
SAMPLED_PAIRS = 400_000
MAPPED_PEOPLE = 40


def write_cluster_pictures(
    folder: Path,
    embeddings: NDArray[np.float32],
    labels: NDArray[np.integer],
    *,
    threshold: float,
    person: int | None = None,
) -> list[Path]:
    """Write dendrogram.png, distances.png and people.png.

    Args:
        folder: made if absent.
        embeddings: unit rows, shape (N, D).
        labels: groups by size, shape (N,).
        threshold: that they were made with.
        person: whose tree to draw; that of all faces unless given.

    Raises:
        InputError: no face of that person, or fewer than two faces.
        MissingExtraError: matplotlib is not installed.
    """
    rows = check_embeddings(embeddings)
    chosen = np.arange(len(rows)) if person is None else np.flatnonzero(labels == person)
    if len(chosen) < 2:
        raise InputError(f"pictures: expected two faces or more, got {len(chosen)}")
    folder.mkdir(parents=True, exist_ok=True)
    chosen = chosen[np.linspace(0, len(chosen) - 1, min(len(chosen), MAX_LEAVES)).astype(int)]
    who = f"{len(chosen)} faces" + ("" if person is None else f" of person {person}")
    drawn = {
        "dendrogram": _dendrogram(rows[chosen], labels[chosen], threshold, who),
        "distances": _distances(rows, labels, threshold),
        "people": _map(rows, labels),
    }
    paths = []
    for name, figure in drawn.items():
        path = folder / f"{name}.png"
        with written_beside(path, private=True) as partial:
            figure.savefig(partial, dpi=130, format="png")
        paths.append(path)
    return paths


def _axes(width: float = 10, height: float = 5) -> tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("a picture", "report") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _colours(labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """A colour for each label by size; those beyond the first twenty repeat."""
    from matplotlib import colormaps

    return np.asarray(colormaps["tab20"](np.asarray(labels) % 20))


def _dendrogram(rows: NDArray[np.float32], labels: NDArray[np.integer], threshold: float, who: str) -> Any:
    from matplotlib.collections import LineCollection

    merges = agglomerative(rows, threshold=4.0).merges
    n = len(rows)
    x = np.concatenate([_leaf_order(merges, n), np.zeros(len(merges))])
    y = np.concatenate([np.zeros(n), merges[:, 2]])
    label = np.concatenate([labels, np.full(len(merges), -1)])
    lines, colours = [], []
    for k, (a, b) in enumerate(merges[:, :2].astype(int)):
        x[n + k] = (x[a] + x[b]) / 2
        label[n + k] = label[a] if label[a] == label[b] else -1
        lines.append([(x[a], y[a]), (x[a], y[n + k]), (x[b], y[n + k]), (x[b], y[b])])
        colours.append((0.6, 0.6, 0.6, 1) if label[n + k] < 0 else tuple(_colours(label[n + k])))
    figure, axes = _axes(12)
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=max(0.3, min(1.2, 250 / n))))
    axes.axhline(threshold, color="black", linestyle="--", linewidth=1)
    axes.text(n * 1.002, threshold, " threshold", va="center", fontsize=8)
    axes.set(xlim=(-1, n), ylim=(0, max(threshold * 1.1, float(y.max()) * 1.03)), xticks=[])
    axes.set(
        ylabel="mean squared distance of two groups",
        title=f"{who}: which groups joined, and at which distance",
    )
    return figure


def _leaf_order(merges: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The place of each leaf so that no lines cross."""
    place, stack, count = np.zeros(n), [n + len(merges) - 1] if len(merges) else [], 0
    while stack:
        node = stack.pop()
        if node < n:
            place[node] = count
            count += 1
        else:
            stack += merges[node - n, 1::-1].astype(int).tolist()
    return place


def _distances(rows: NDArray[np.float32], labels: NDArray[np.integer], threshold: float) -> Any:
    rng = np.random.default_rng(0)
    i, j = rng.integers(0, len(rows), (2, SAMPLED_PAIRS))
    apart = ((rows[i] - rows[j]) ** 2).sum(1)[i != j]
    same = (labels[i] == labels[j])[i != j]
    figure, axes = _axes()
    for chosen, name, colour in ((~same, "two groups", "#8a8f98"), (same, "one group", "#1f6fb4")):
        if chosen.any():
            axes.hist(
                apart[chosen],
                120,
                range=(0, 3),
                density=True,
                alpha=0.65,
                color=colour,
                label=f"pairs of {name}",
            )
    axes.axvline(threshold, color="black", linestyle="--", linewidth=1)
    axes.text(threshold, axes.get_ylim()[1] * 0.97, f" threshold {threshold:.3f}", va="top", fontsize=9)
    axes.set(xlabel="squared distance of two faces", ylabel="density", xlim=(0, 3))
    axes.set_title("Distances within and between the groups found")
    axes.legend(frameon=False)
    return figure


def _map(rows: NDArray[np.float32], labels: NDArray[np.integer]) -> Any:
    """The two directions in which the largest groups differ most."""
    shown = np.arange(min(MAPPED_PEOPLE, int(labels.max()) + 1))
    means = np.stack([rows[labels == k].mean(0) for k in shown])
    centre = means.mean(0)
    axes_of_people = np.linalg.svd(means - centre, full_matrices=False)[2][:2]
    inside = labels < len(shown)
    faces, places = (rows[inside] - centre) @ axes_of_people.T, (means - centre) @ axes_of_people.T
    if len(axes_of_people) < 2:
        faces, places = np.pad(faces, ((0, 0), (0, 1))), np.pad(places, ((0, 0), (0, 1)))
    sizes = np.bincount(labels[inside], minlength=len(shown))
    figure, axes = _axes(9, 7.5)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.scatter(faces[:, 0], faces[:, 1], s=9, c=_colours(labels[inside]), alpha=0.5, linewidths=0)
    axes.scatter(
        places[:, 0],
        places[:, 1],
        s=40 + 400 * sizes / sizes.max(),
        c=_colours(shown),
        edgecolors="white",
        zorder=3,
    )
    for k, (x, y) in zip(shown, places, strict=True):
        axes.annotate(str(k), (x, y), ha="center", va="center", fontsize=7, zorder=4)
    axes.set(
        xticks=[], yticks=[], title=f"The {len(shown)} largest groups: a circle a person, its size the faces"
    )
    return figure
