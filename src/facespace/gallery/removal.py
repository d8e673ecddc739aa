"""Remove subjects and faces of a gallery for good."""

from collections.abc import Sequence
from pathlib import Path

from facespace.errors import GalleryError
from facespace.gallery.roster import Removal, Roster


def remove(
    roster: Roster, subjects: Sequence[str], photos: Sequence[str | Path], face_id: Sequence[int]
) -> Removal:
    """See `Gallery.remove`."""
    with roster.transaction():
        n_faces = sum(roster.remove_subject(name) for name in subjects)
        for photo in photos:
            n_faces += _remove_faces(roster, roster.faces_from(photo), "photo", f"no face is from {photo}")
        for number in face_id:
            n_faces += _remove_faces(roster, [number], "face", f"none has the id {number}")
    left = roster.erase()
    return Removal(len(subjects), n_faces, not left, left)


def _remove_faces(roster: Roster, face_id: list[int], what: str, met: str) -> int:
    n = roster.remove_faces(face_id)
    if not n:
        raise GalleryError(f"{roster.place}: expected a {what} of the gallery, {met}")
    return n
