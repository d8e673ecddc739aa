"""What other processes do with a gallery in the tests, and the process that makes them.

Started once, it imports once and then forks an actor for each line that it reads, so that a test may kill many. An
actor acknowledges a step by a line in a file once the step is done: what was written outlives the kill.
"""

import dataclasses
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from facespace.gallery import Gallery, subject_index
from facespace.store import IndexSettings
from fakes import SPEC, DrawnEmbedder
from stored import V1, faces

NEWER = dataclasses.replace(
    SPEC, version="2", sha256="f" * 64, byte_scale=90.0, distances={"1e-2": 0.35, "1e-3": 0.25},
    compatible_with={SPEC.sha256: {"1e-2": 0.4, "1e-3": 0.3}},
)  # fmt: skip


class NewerEmbedder(DrawnEmbedder):
    """Near what the older one says of the same crop, and not the same."""

    spec = NEWER

    def __init__(self, *, pause_s: float = 0.0) -> None:
        self.pause_s = pause_s

    def embed(self, crops: np.ndarray, /) -> np.ndarray:
        time.sleep(self.pause_s)
        rows = super().embed(crops)
        rows[:, 7] += 0.1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def enrol_pairs(path: str, start: int, n: int, acknowledge: object) -> None:
    with Gallery(path) as gallery:
        for i in range(start, start + 2 * n, 2):
            gallery.load(faces(2, start=i), ["Ann", f"Nr {i}"], V1)
            acknowledge(i)  # type: ignore[operator]


def upgrade_slowly(path: str, acknowledge: object) -> None:
    with Gallery(path) as gallery:
        embedder = NewerEmbedder(pause_s=0.01)
        gallery.upgrade(embedder, workers=1, on_face=lambda now: acknowledge(now.n_done))  # type: ignore[operator]


def index_all_the_while(path: str, start: int, n: int, acknowledge: object) -> None:
    """Enrol pairs, remove one of each third, and build every file of the index again each time."""
    subject_index.LEAST_TEMPLATES = 1  # type: ignore[attr-defined]
    subject_index.MOST_CHANGED = 0
    with Gallery(path) as gallery:
        gallery.roster.set_index(IndexSettings(exact_up_to=40, least_recall=0.6))
        for i in range(start, start + 2 * n, 2):
            gallery.load(faces(2, start=i), ["Ann", f"Nr {i}"], V1)
            acknowledge(i)  # type: ignore[operator]
            if i % 3 == 0:
                gallery.remove(face_id=[i])
            gallery.refresh_index(again=True)


def act(what: str, path: str, *rest: int, acks: str) -> None:
    out = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    ACTS[what](path, *rest, lambda number: os.write(out, f"{number}\n".encode()))
    os.write(out, b"done\n")


ACTS = {"enrol": enrol_pairs, "upgrade": upgrade_slowly, "index": index_all_the_while}


def acknowledged(acks: Path) -> list[str]:
    return acks.read_text().split("\n")[:-1] if acks.exists() else []


def main() -> None:
    for line in sys.stdin:
        arguments, acks = json.loads(line)
        actor = os.fork()
        if not actor:
            try:
                act(*arguments, acks=acks)
            finally:
                os._exit(0)
        print(actor, flush=True)


if __name__ == "__main__":
    main()
