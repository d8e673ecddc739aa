"""Photos of known people put straight into a library: people are directions, faces lie around them."""

from pathlib import Path

import numpy as np

from facespace.extract import PhotoFaces
from facespace.faces.detections import Detections
from facespace.images import Exif
from facespace.library import Library
from facespace.library.photos import add_faces
from fakes import SPEC
from inside import inside, sql

DETECTOR = "d" * 64


def photo(name: str, *people: int, noise: float = 0.02, content: str | None = None) -> PhotoFaces:
    """A photo that shows these people from left to right."""
    rng = np.random.default_rng([*name.encode(), *people])
    rows = np.zeros((len(people), 128), np.float32)
    rows[np.arange(len(people)), list(people)] = 1.0
    rows += noise * rng.normal(size=rows.shape).astype(np.float32)
    left = 100.0 * np.arange(len(people), dtype=np.float32)
    boxes = np.stack([left, 0 * left, left + 80, 0 * left + 80], axis=1).astype(np.float32)
    faces = Detections(
        boxes, np.zeros((len(people), 5, 2), np.float32), np.full(len(people), 0.9, np.float32)
    )
    thumbnails = rng.integers(0, 255, (len(people), 144, 144, 3)).astype(np.uint8)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return PhotoFaces(
        faces, np.full(len(people), 0.5, np.float32), rows, thumbnails, Path(name), content or f"{name:0>64}",
        (100, 1000), Exif(),
    )  # fmt: skip


def add(library: Library, found: PhotoFaces) -> None:
    """As a scan does."""
    library.templates.add_model(SPEC)
    if not sql(library).execute("SELECT 1 FROM models WHERE sha256 = ?", (DETECTOR,)).fetchone():
        from fakes import DrawnDetector

        library.templates.add_model(DrawnDetector.spec)
    add_faces(inside(library), found, str(found.photo), (1, 2, 3, 4), detector=DETECTOR, embedder=SPEC)


def groups(library: Library) -> set[frozenset[str]]:
    """The faces of each person, as the library is grouped now."""

    people = library.group(SPEC).people
    return {frozenset(face.address for face in person.faces) for person in people}


def person_of(library: Library, face: str) -> int:
    """The number of the person of a face."""

    return next(p.person for p in library.group(SPEC).people if face in {f.address for f in p.faces})
