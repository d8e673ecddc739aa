"""What the last layers learn from: faces of known people, and faces of nobody in particular, by group."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.extract import FaceDetector, find_faces, in_order
from facespace.images import read_image
from facespace.measure.experiments.wider import read_wider
from facespace.measure.faces import FaceSet, open_crops
from facespace.measure.unnamed_faces import open_unnamed
from facespace.models import find_model, read_spec

SIZE_HW = (112, 112)
# Of a face in a crowd: distance of the eyes, and the detector's score.
LEAST_EYES_PX, LEAST_SCORE = 12.0, 0.6
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
    """Aligned faces of four sources, N in all.

    Attributes:
        crops: uint8 RGB, shape (N, H, W, 3).
        labels: int64, shape (N,): whom each shows; an unnamed face has a label of its own.
        source: shape (N,): "train", "fiw", "more" (unnamed, each another person) or "crowd" (unnamed, of photographs
            that may show one person several times).
        dev: shape (N,): set aside.
        pools: indices of faces of "more" that are not set aside, drawn from equally often.
    """

    crops: NDArray[np.uint8]
    labels: NDArray[np.int64]
    source: NDArray[np.str_]
    dev: NDArray[np.bool_]
    pools: tuple[NDArray[np.int64], ...]

    def __len__(self) -> int:
        return len(self.labels)

    def people(self, source: str) -> list[NDArray[np.int64]]:
        """The faces of each person of a source who has two or more that are not set aside."""
        chosen = np.flatnonzero((self.source == source) & ~self.dev)
        chosen = chosen[np.argsort(self.labels[chosen], kind="stable")]
        parts = np.split(chosen, np.flatnonzero(np.diff(self.labels[chosen])) + 1)
        return [part for part in parts if len(part) > 1]

    def part(self, chosen: NDArray[np.int64]) -> "FacePool":
        """Only the faces ``chosen``, increasing indices."""
        place = np.full(len(self), -1)
        place[chosen] = np.arange(len(chosen))
        pools = tuple(place[pool][place[pool] >= 0] for pool in self.pools)
        return FacePool(self.crops[chosen], self.labels[chosen], self.source[chosen], self.dev[chosen], pools)


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


def open_pool(data: Path, more: Path, detector: FaceDetector) -> FacePool:
    """The faces of `DATA/faces/train`, `MORE/fiw` and `DATA/faces/more`, and those ``detector`` finds in `MORE/wider`.

    People are set aside by a hash of their name, those of Families in the Wild by their family's, unnamed faces by
    their file's: who is set aside stays so when others come or go.

    Raises:
        DataError: a folder is missing.
    """
    train, fiw = open_crops(data / "faces" / "train"), open_crops(more / "fiw")
    unnamed = open_unnamed(data / "faces" / "more")
    crowd = crowd_crops(more / "wider", detector)
    n_train, n_people = len(train.identities), len(train.identities) + len(fiw.identities)
    n_named, n_unnamed = len(train.labels) + len(fiw.labels), len(unnamed) + len(crowd)
    dev = np.concatenate([
        _set_aside(list(train.identities), "train")[train.labels],
        _family_set_aside(fiw)[fiw.labels],
        unnamed.held_out,
        np.zeros(len(crowd), bool),
    ])  # fmt: skip
    groups = {(group.kind, group.name): group.members + n_named for group in unnamed.groups()}
    pools = []
    for kind, names in POOLS:
        members = np.concatenate([groups.get((kind, name), np.zeros(0, np.int64)) for name in names])
        members = members[~dev[members]]
        if len(members) >= SMALLEST_POOL:
            pools.append(np.sort(members))
    return FacePool(
        np.concatenate([
            np.stack([read_image(path).pixels for path in train.paths + fiw.paths]),
            unnamed.crops(np.arange(len(unnamed))),
            crowd,
        ]),
        np.concatenate([train.labels, fiw.labels + n_train, n_people + np.arange(n_unnamed)]),
        np.repeat(
            ["train", "fiw", "more", "crowd"],
            [len(train.labels), len(fiw.labels), len(unnamed), len(crowd)],
        ),
        dev,
        tuple(pools),
    )  # fmt: skip


def crowd_crops(wider: Path, detector: FaceDetector) -> NDArray[np.uint8]:
    """The larger faces that ``detector`` finds in the photographs of ``wider``; uint8 RGB, shape (N, *SIZE_HW, 3).

    Raises:
        DataError: no labels there.
    """
    # As large as the others, whatever the built-in embedder takes.
    spec = replace(read_spec(find_model(None, "embedder")), input_hw=SIZE_HW)

    def crops(photo: Path) -> NDArray[np.uint8]:
        found = find_faces(read_image(photo), detector, spec)
        eyes = np.linalg.norm(found.faces.landmarks_xy[:, 1] - found.faces.landmarks_xy[:, 0], axis=1)
        return found.crops[(eyes >= LEAST_EYES_PX) & (found.faces.scores >= LEAST_SCORE)]

    return np.concatenate(list(in_order(crops, [photo.path for photo in read_wider(wider)])))


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
