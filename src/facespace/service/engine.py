"""From the bytes of a picture to faces with embeddings, for many requests at once and never more than fit."""

import asyncio
import dataclasses
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.errors import NoFaceError
from facespace.extract import FaceEmbedder, NamedDetector, find_faces
from facespace.faces.detections import Detections
from facespace.faces.tiles import decoded_side_px
from facespace.images import decode_image
from facespace.models import ModelSpec
from facespace.service.metrics import Metrics
from facespace.service.problems import ProblemError
from facespace.service.settings import Limits

# Named in errors where a file would be.
PICTURE = Path("the picture")
# Of the mean time that a picture takes, the weight of the newest.
NEWEST = 0.1


@dataclass(frozen=True)
class Faces:
    """The faces of one picture; N of them, the highest score first.

    Attributes:
        faces: boxes, landmarks and scores in pixels of the whole upright picture.
        quality: float32, shape (N,).
        embeddings: float32 unit rows, shape (N, D).
        size_hw: rows and columns of the whole upright picture.
        sha256: of its bytes.
        spec: of the embedder.
        detector: sha256 of the detector.
        n_seen: how many faces the picture shows.
    """

    faces: Detections
    quality: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    size_hw: tuple[int, int]
    sha256: str
    spec: ModelSpec
    detector: str
    n_seen: int

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, which: NDArray[np.int_] | NDArray[np.bool_]) -> "Faces":
        """A part of them."""
        return dataclasses.replace(
            self, faces=self.faces[which], quality=self.quality[which], embeddings=self.embeddings[which]
        )


class Engine:
    """Finds and embeds faces, each picture in one of a few threads.

    A network on a device that takes batches gets what all threads have ready (`facespace.models.session.Network`); on
    processors a batch gains nothing.

    Args:
        detector: finds the faces.
        limits: of pictures, and of how many wait.
        threads: so many pictures at a time.
        metrics: what is counted and timed.
    """

    def __init__(self, detector: NamedDetector, limits: Limits, *, threads: int, metrics: Metrics) -> None:
        self.detector, self.limits, self.metrics = detector, limits, metrics
        self._n_threads, self._threads = threads, ThreadPoolExecutor(threads, "facespace-look")
        self._n_waiting, self._seconds_each = 0, 0.05

    async def faces(
        self,
        content: bytes,
        embedder: FaceEmbedder,
        *,
        most: int | None = None,
        needed: bool = False,
        patient: bool = False,
    ) -> Faces:
        """The faces of a picture, embedded.

        Args:
            content: the picture file.
            embedder: embeds them.
            most: only so many, the largest; those of the limits when None.
            needed: no face is an error.
            patient: it waits for its turn, however many wait already.

        Raises:
            ImageError: no picture, or one that cannot be read.
            NoFaceError: there is none, where one is needed.
            ProblemError: too many pictures wait.
        """
        self._admit(patient=patient)
        try:
            loop, came = asyncio.get_running_loop(), time.perf_counter()
            found = await loop.run_in_executor(
                self._threads, self._look, content, embedder, most or self.limits.faces, came
            )
        finally:
            self._n_waiting -= 1
            self.metrics.pictures.dec()
        if needed and not len(found):
            raise NoFaceError("expected a face, the picture shows none; send a larger or sharper one")
        return found

    def close(self) -> None:
        """Finish what was begun, and end the threads."""
        self._threads.shutdown()

    def _admit(self, *, patient: bool) -> None:
        """Count a picture in, or refuse it.

        Raises:
            ProblemError: too many are in hand.
        """
        if not patient and self._n_waiting >= self.limits.queue + self._n_threads:
            self.metrics.refused.labels("queue").inc()
            after = max(1, ceil(self._n_waiting * self._seconds_each / self._n_threads))
            raise ProblemError(
                429, "queue-full", f"{self._n_waiting} pictures wait already; ask again in {after} s",
                headers={"Retry-After": str(after)},
            )  # fmt: skip
        self._n_waiting += 1
        self.metrics.pictures.inc()

    def _look(self, content: bytes, embedder: FaceEmbedder, most: int, came: float) -> Faces:
        begun, stage = time.perf_counter(), self.metrics.stage
        self.metrics.stages.labels("wait").observe(begun - came)
        with stage("decode"):
            digest = hashlib.sha256(content).hexdigest()
            picture = decode_image(
                content, PICTURE, longest_side_px=decoded_side_px, max_pixels=self.limits.pixels
            )
        with stage("detect"):
            found = find_faces(picture, self.detector, embedder.spec, most=most)
        with stage("embed"):
            rows = embedder.embed(found.crops)
        self._seconds_each += NEWEST * (time.perf_counter() - begun - self._seconds_each)
        return Faces(
            found.faces, found.quality, rows, picture.size_hw, digest, embedder.spec, self.detector.spec.sha256,
            found.n_seen,
        )  # fmt: skip
