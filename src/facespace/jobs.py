"""The jobs as one call each, with the built-in models unless others are given."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facespace.embed import Embedder
from facespace.errors import ImageError, NoFaceError
from facespace.extract import PhotoFaces, extract_photos
from facespace.faces.addresses import face_at, split_address
from facespace.faces.detect import Detector
from facespace.library import Library, People, Rule, library_of
from facespace.library.progress import OnProgress
from facespace.models import VERIFY_FAR, common_threshold
from facespace.models.devices import AUTO
from facespace.verification import choose_face, verify_faces

__all__ = ["ComparedFace", "Verdict", "people", "verify"]


@dataclass(frozen=True)
class ComparedFace:
    """One side of a comparison.

    Attributes:
        photo: its file.
        box_xyxy: the face that was compared, in pixels of the upright picture.
        score: the detector's.
        n_faces: so many faces does the photo show.
    """

    photo: Path
    box_xyxy: tuple[float, ...]
    score: float
    n_faces: int


@dataclass(frozen=True)
class Verdict:
    """Whether two photos show the same person.

    Attributes:
        same: whether distance <= threshold.
        distance: squared L2 of the two embeddings, in [0, 4].
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
    """Do two photos show the same person?

    Args:
        a: a photo, whose largest face is compared; or `PHOTO#K`, its K-th face from the left.
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
    sides = _sides([Path(photo) for photo, _ in places], detector or Detector(device=device), embedder)
    chosen = [_chosen(side, k) for side, (_, k) in zip(sides, places, strict=True)]
    found = verify_faces(
        sides[0].embeddings, sides[1].embeddings, threshold=threshold, far=far,
        face_idx=None if any_face else (chosen[0], chosen[1]),
    )  # fmt: skip
    faces = [_compared(side, i) for side, i in zip(sides, found.face_idx, strict=True)]
    return Verdict(
        found.same,
        found.distance,
        found.similarity,
        threshold,
        far,
        embedder.spec.label,
        (faces[0], faces[1]),
    )


def _sides(photos: Sequence[Path], detector: Detector, embedder: Embedder) -> list[PhotoFaces]:
    sides = []
    for found in extract_photos(photos, detector, embedder):
        if not isinstance(found, PhotoFaces):
            raise ImageError(found.photo, found.reason)
        if not len(found.faces):
            raise NoFaceError(f"{found.photo}: expected a face, found none; try a larger or sharper picture")
        sides.append(found)
    return sides


def _chosen(side: PhotoFaces, k: int | None) -> int:
    boxes = side.faces.boxes_xyxy
    return choose_face(boxes) if k is None else face_at(boxes, k, side.photo)


def _compared(side: PhotoFaces, i: int) -> ComparedFace:
    box = tuple(round(float(v), 2) for v in side.faces.boxes_xyxy[i])
    return ComparedFace(side.photo, box, float(side.faces.scores[i]), len(side.faces))
