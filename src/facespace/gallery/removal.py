"""Take people, photos or single faces out of a gallery, for good."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facespace.errors import GalleryError
from facespace.gallery.gallery import Gallery
from facespace.store.database import path_in

__all__ = ["Removal", "remove"]


@dataclass(frozen=True)
class Removal:
    """What was removed.

    Attributes:
        n_subjects: named and removed.
        n_faces: removed with their templates.
        overwritten: whether nothing of them is left in the file and its log; False where others have the gallery open
            just now: then the log goes when the last of them closes it.
    """

    n_subjects: int
    n_faces: int
    overwritten: bool


def remove(
    gallery: Gallery,
    *,
    subjects: Sequence[str] = (),
    photos: Sequence[str | Path] = (),
    face_id: Sequence[int] = (),
) -> Removal:
    """Remove subjects with all their faces, the faces of photos, and single faces: all of it or, after an error, none.

    What is deleted is overwritten in the file.

    Args:
        gallery: an open gallery.
        subjects: names.
        photos: paths, as they are listed or from the current folder.
        face_id: as listed.

    Raises:
        GalleryError: a name, photo or face that is not there, or the file cannot be written.
    """
    with gallery.database.transaction():
        n_faces = sum(gallery.remove_subject(name) for name in subjects)
        for photo in photos:
            n_faces += gallery.remove_faces(_faces_of(gallery, photo))
        for number in face_id:
            if not gallery.remove_faces([number]):
                raise GalleryError(
                    f"{gallery.database.path}: expected a face of the gallery, none has the id {number}"
                )
            n_faces += 1
    return Removal(len(subjects), n_faces, gallery.database.checkpoint())


def _faces_of(gallery: Gallery, photo: str | Path) -> list[int]:
    rows = gallery.database.connection.execute(
        "SELECT face_id FROM faces WHERE photo IN (?, ?)",
        (path_in(str(photo)), path_in(str(Path(photo).absolute()))),
    ).fetchall()
    if not rows:
        raise GalleryError(
            f"{gallery.database.path}: expected a photo of the gallery, no face is from {photo}"
        )
    return [row[0] for row in rows]
