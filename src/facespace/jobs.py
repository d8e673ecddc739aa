"""The jobs as one call each, with the built-in models unless others are given."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facespace.embed import Embedder
from facespace.errors import ImageError, InputError, NoFaceError
from facespace.extract import PhotoFaces, VideoFaces, extract_files
from facespace.faces.addresses import face_at, split_address
from facespace.faces.detect import Detector
from facespace.faces.detections import Detections
from facespace.images import Unreadable
from facespace.library import Library, People, Rule, library_of
from facespace.library.progress import OnProgress
from facespace.models import VERIFY_FAR, common_threshold
from facespace.models.devices import AUTO
from facespace.verification import choose_face, verify_faces


@dataclass(frozen=True)
class ComparedFace:
    """One side of a comparison.

    Attributes:
        photo: its file.
        box_xyxy: the face that was compared, in pixels of the upright picture; of a track in a video the best one.
        score: the detector's.
        n_faces: so many faces does the photo show, or so many tracks the video.
        time_s: of the face in a video; None for photos.
    """

    photo: Path
    box_xyxy: tuple[float, ...]
    score: float
    n_faces: int
    time_s: float | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether two photos or videos show the same person.

    Attributes:
        same: whether distance <= threshold.
        distance: squared L2 of the two embeddings, in [0, 4]; with a video the mean over the faces of the track.
        similarity: their cosine.
        threshold: the distance up to which two faces count as one person.
        far: the false-accept rate that the threshold stands for.
        model: the embedder.
        faces: the two that were compared.
    """

    same: bool
    distance: float
    similarity: float
    threshold: float
    far: float
    model: str
    faces: tuple[ComparedFace, ComparedFace]

    def to_json(self) -> dict[str, Any]:
        """The document that `facespace verify --json` prints; faces of videos have a `time`."""
        document = asdict(self)
        for face in document["faces"]:
            time_s = face.pop("time_s")
            if time_s is not None:
                face["time"] = time_s
        return document


def people(
    photos: str | Path,
    *,
    library: str | Path | None = None,
    rule: Rule | None = None,
    detector: Detector | None = None,
    embedder: Embedder | None = None,
    device: str = AUTO,
    progress: OnProgress | None = None,
) -> People:
    """Who is in a folder of photos? As `facespace people` answers it, but without a page.

    The answer is kept in a library: a second call reads only new and changed photos, and keeps names and corrections.

    Args:
        photos: the folder; nothing in it is changed.
        library: folder of the library; that of `facespace people` unless given.
        rule: how near faces must lie to be put together.
        detector: finds the faces.
        embedder: embeds them.
        device: where the networks run that are opened here; see `Detector` and `Embedder`.
        progress: called with (stage, done, in all).

    Raises:
        DataError: no such folder, or another one than the library's.
        LibraryError: the library cannot be opened or written.
        ModelError: the embedder is not calibrated.
    """
    folder = library_of(Path(photos), None if library is None else Path(library))
    with Library(folder) as opened:
        done = opened.refresh(
            Path(photos), detector or Detector(device=device), embedder or Embedder(device=device), rule=rule,
            progress=progress,
        )  # fmt: skip
    return done.people


def verify(
    a: str | Path,
    b: str | Path,
    *,
    far: float = VERIFY_FAR,
    any_face: bool = False,
    detector: Detector | None = None,
    embedder: Embedder | None = None,
    device: str = AUTO,
) -> Verdict:
    """Do two photos or videos show the same person?

    Args:
        a: a photo, whose largest face is compared; or `PHOTO#K`, its K-th face from the left. Of a video the longest
            track is compared, or the K-th by time: by the mean distance of its best faces, as the paper's protocol for
            videos has it.
        b: another one, likewise.
        far: false-accept rate of the threshold.
        any_face: compare all faces, and take the closest pair.
        detector: finds the faces.
        embedder: embeds them.
        device: where the networks run that are opened here; see `Detector` and `Embedder`.

    Raises:
        ImageError: a photo cannot be read.
        NoFaceError: a photo shows no face.
        InputError: a photo has no such face, or a rate outside (0, 1).
        ModelError: the model is not calibrated at that rate.
    """
    embedder = embedder or Embedder(device=device)
    threshold = common_threshold(embedder.spec, embedder.spec, far)
    places = split_address(a), split_address(b)
    one, other = _found([Path(photo) for photo, _ in places], detector or Detector(device=device), embedder)
    chosen = _chosen(one, places[0][1]), _chosen(other, places[1][1])
    found = verify_faces(
        _rows(one), _rows(other), threshold=threshold, far=far, face_idx=None if any_face else chosen
    )
    faces = _compared(one, found.face_idx[0]), _compared(other, found.face_idx[1])
    return Verdict(found.same, found.distance, found.similarity, threshold, far, embedder.spec.label, faces)


def _found(paths: Sequence[Path], detector: Detector, embedder: Embedder) -> list[PhotoFaces | VideoFaces]:
    sides = []
    for found in extract_files(paths, detector, embedder):
        if isinstance(found, Unreadable):
            raise ImageError(found.photo, found.reason)
        if not len(_faces(found)):
            raise NoFaceError(f"{found.photo}: expected a face, found none; try a larger or sharper picture")
        sides.append(found)
    return sides


def _faces(found: PhotoFaces | VideoFaces) -> Detections:
    """Of a photo, or the best one of each track."""
    return found.best.faces if isinstance(found, VideoFaces) else found.faces


def _rows(found: PhotoFaces | VideoFaces) -> NDArray[np.float32] | list[NDArray[np.float32]]:
    """The embeddings of each face, or of each track."""
    return [track.embeddings for track in found] if isinstance(found, VideoFaces) else found.embeddings


def _chosen(found: PhotoFaces | VideoFaces, k: int | None) -> int:
    """The face or track that is compared: the K-th, else the largest or longest."""
    if isinstance(found, PhotoFaces):
        boxes = found.faces.boxes_xyxy
        return choose_face(boxes) if k is None else face_at(boxes, k, found.photo)
    if k is None:
        return max(range(len(found)), key=lambda i: found.tracks[i].n_frames)
    if not 1 <= k <= len(found):
        raise InputError(f"{found.photo}#{k}: expected one of its {len(found)} tracks, from 1 by time")
    return k - 1


def _compared(found: PhotoFaces | VideoFaces, i: int) -> ComparedFace:
    faces = _faces(found)
    box = tuple(round(float(v), 2) for v in faces.boxes_xyxy[i])
    time_s = round(float(found.tracks[i].time_s[0]), 3) if isinstance(found, VideoFaces) else None
    return ComparedFace(found.photo, box, float(faces.scores[i]), len(faces), time_s)
