"""What the last layers learn from: faces of known people, and faces of nobody in particular, by group."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.images import read_image
from facespace.measure.faces import FaceSet, open_crops
from facespace.measure.unnamed_faces import UnnamedFaces, open_unnamed

__all__ = ["BatchDraw", "FacePool", "open_pool", "set_aside_families"]

BATCH = 64
# Of people and families, one in so many is set aside to choose by.
DEV_EVERY = {"train": 10, "fiw": 8}
# Pools of unnamed faces that are drawn from equally often; children twice. A pool is a kind of group and names of it.
POOLS = (
    ("age", ("0 to 9",)), ("age", ("0 to 9",)), ("age", ("10 to 19",)), ("age", ("60 and over",)),
    ("origin", ("Black",)), ("origin", ("Indian",)), ("origin", ("Asian",)), ("source", ("nga",)),
    ("source", ("aaf",)), ("source", ("ath", "hum", "meb", "uk", "ffhq", "cip", "can", "us")),
)  # fmt: skip
SMALLEST_POOL = 60


@dataclass(frozen=True)
class FacePool:
    """Aligned faces of three sources.

    Attributes:
        paths: pictures of known people, P of them.
        unnamed: further faces, U of them; N = P + U faces in all.
        labels: int64, shape (N,): whom each shows; an unnamed face has a label of its own.
        source: shape (N,): "train", "fiw" or "more".
        dev: shape (N,): set aside.
        pools: indices of unnamed faces that are not set aside, drawn from equally often.
    """

    paths: tuple[Path, ...]
    unnamed: UnnamedFaces
    labels: NDArray[np.int64]
    source: NDArray[np.str_]
    dev: NDArray[np.bool_]
    pools: tuple[NDArray[np.int64], ...]

    def __len__(self) -> int:
        return len(self.labels)

    def crops(self) -> Iterator[NDArray[np.uint8]]:
        """All crops in order, uint8 RGB (B, H, W, 3), a batch at a time."""
        for i in range(0, len(self.paths), BATCH):
            yield np.stack([read_image(path).pixels for path in self.paths[i : i + BATCH]])
        for i in range(0, len(self.unnamed), BATCH):
            yield self.unnamed.crops(np.arange(i, min(i + BATCH, len(self.unnamed))))

    def people(self, source: str) -> list[NDArray[np.int64]]:
        """The faces of each person of a source who has two or more that are not set aside."""
        chosen = np.flatnonzero((self.source == source) & ~self.dev)
        chosen = chosen[np.argsort(self.labels[chosen], kind="stable")]
        parts = np.split(chosen, np.flatnonzero(np.diff(self.labels[chosen])) + 1)
        return [part for part in parts if len(part) > 1]


class BatchDraw:
    """Batches of a pool's faces that are not set aside.

    Args:
        pool: the faces.
        people: of each labelled source, how many people with several faces.
        faces_each: at most, of each of these.
        others: faces of anybody in faces/train.
        pools: pools of unnamed faces a batch.
        from_pool: faces of each.
    """

    def __init__(
        self,
        pool: FacePool,
        *,
        people: dict[str, int],
        faces_each: int,
        others: int,
        pools: int,
        from_pool: int,
    ) -> None:
        self.people = [(pool.people(source), n) for source, n in people.items()]
        self.anybody = np.flatnonzero((pool.source == "train") & ~pool.dev)
        self.pools = pool.pools
        self.faces_each, self.others, self.n_pools, self.from_pool = faces_each, others, pools, from_pool

    def __call__(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Indices of one batch, increasing, each once."""
        parts = [rng.choice(self.anybody, min(self.others, len(self.anybody)))]
        for people, n in self.people:
            for i in rng.choice(len(people), min(n, len(people)), replace=False):
                parts.append(rng.choice(people[i], min(self.faces_each, len(people[i])), replace=False))
        for i in rng.choice(len(self.pools), min(self.n_pools, len(self.pools)), replace=False):
            parts.append(rng.choice(self.pools[i], self.from_pool))
        return np.unique(np.concatenate(parts))


def open_pool(data: Path, more: Path) -> FacePool:
    """The faces of `DATA/faces/train`, `MORE/fiw` and `DATA/faces/more`.

    People are set aside by a hash of their name, those of Families in the Wild by their family's, unnamed faces by
    their file's: who is set aside stays so when others come or go.

    Raises:
        DataError: a folder is missing.
    """
    train, fiw = open_crops(data / "faces" / "train"), open_crops(more / "fiw")
    unnamed = open_unnamed(data / "faces" / "more")
    n_train, n_people = len(train.identities), len(train.identities) + len(fiw.identities)
    labels = np.concatenate([train.labels, fiw.labels + n_train, n_people + np.arange(len(unnamed))])
    sizes = len(train.labels), len(fiw.labels), len(unnamed)
    dev = np.concatenate([
        _set_aside(list(train.identities), "train")[train.labels],
        _family_set_aside(fiw)[fiw.labels],
        unnamed.held_out,
    ])  # fmt: skip
    paths = train.paths + fiw.paths
    groups = {(group.kind, group.name): group.members + len(paths) for group in unnamed.groups()}
    pools = []
    for kind, names in POOLS:
        members = np.concatenate([groups.get((kind, name), np.zeros(0, np.int64)) for name in names])
        members = members[~dev[members]]
        if len(members) >= SMALLEST_POOL:
            pools.append(np.sort(members))
    return FacePool(paths, unnamed, labels, np.repeat(["train", "fiw", "more"], sizes), dev, tuple(pools))


def set_aside_families(fiw: FaceSet) -> FaceSet:
    """The faces of the families that no head learns from."""
    chosen = _family_set_aside(fiw)[fiw.labels]
    paths = tuple(path for path, taken in zip(fiw.paths, chosen, strict=True) if taken)
    return replace(fiw, paths=paths, labels=fiw.labels[chosen])


def _family_set_aside(fiw: FaceSet) -> NDArray[np.bool_]:
    """Whether each person's family is; relatives stay on one side."""
    return _set_aside([name.rsplit("-", 1)[0] for name in fiw.identities], "fiw")


def _set_aside(names: list[str], source: str) -> NDArray[np.bool_]:
    hashes = [int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) for name in names]
    return np.array(hashes, np.int64) % DEV_EVERY[source] == 0
