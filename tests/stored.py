"""Specs of drawn models and faces drawn by chance, for galleries."""

import dataclasses

import numpy as np

from embeddings import unit_rows
from facespace.gallery import Gallery
from facespace.gallery.sqlite_roster import SqliteRoster
from facespace.models import ModelSpec
from facespace.store import Database, Prototypes
from facespace.table import FaceTable

DIM = 8
V1 = ModelSpec(
    "space", "1", "embedder", (8, 8), dim=DIM, sha256="1" * 64, byte_scale=120.0,
    distances={"1e-2": 1.0, "1e-3": 0.5, "1e-4": None},
)  # fmt: skip
# Its mixed distances lie elsewhere than its own.
V2 = dataclasses.replace(
    V1, version="2", sha256="2" * 64, byte_scale=90.0, distances={"1e-2": 1.3, "1e-3": 0.9},
    compatible_with={V1.sha256: {"1e-2": 1.1, "1e-3": 0.7}},
)  # fmt: skip
STRANGE = dataclasses.replace(V1, name="strange", sha256="3" * 64)


def faces(n: int, spec: ModelSpec = V1, *, start: int = 1, seed: int = 0) -> FaceTable:
    """N faces with the ids from ``start`` on, two a photo; the odd ones are ready crops."""
    rng = np.random.default_rng(seed)
    box = rng.uniform(0, 99, (n, 4)).astype(np.float32)
    landmarks = rng.uniform(0, 99, (n, 5, 2)).astype(np.float32)
    score, quality = rng.uniform(size=(2, n)).astype(np.float32)
    box[1::2], landmarks[1::2], score[1::2] = np.nan, np.nan, np.nan
    photos = tuple(f"p{start + i}.png" for i in range(0, n, 2))
    return FaceTable(
        spec.sha256, photos, photos, np.arange(start, start + n), np.arange(n) // 2, box, landmarks, score, quality,
        unit_rows(rng, n, spec.dim),
    )  # fmt: skip


def database_of(gallery: Gallery) -> Database:
    """The file of a gallery that is one."""
    assert isinstance(gallery.roster, SqliteRoster)
    return gallery.roster.database


def shown_prototypes(sets: tuple[Prototypes, ...]) -> list[list[object]]:
    """Of each pair of models, however many sets it has."""
    whole: dict[int, Prototypes] = {}
    for one in sets:
        whole[id(one.curve)] = whole[id(one.curve)].joined(one) if id(one.curve) in whole else one
    parts = [one.joined(one.without(one.subject_id)) for one in whole.values()]
    return [[one.subject_id.tolist(), one.n_templates.tolist(), one.rows.tolist()] for one in parts]
