"""Everybody of a gallery, listed and removed."""

from facespace.gallery import EnrolledFace, Gallery
from facespace.service.access import Access
from facespace.service.enrolling import key_of
from facespace.service.galleries import OpenGallery
from facespace.service.service import Service

__all__ = ["all_faces", "page_of_faces", "remove_everybody"]

FACES_AT_ONCE = 1000


def all_faces(gallery: Gallery) -> list[EnrolledFace]:
    """Every face, by id."""
    faces: list[EnrolledFace] = []
    while page := gallery.page_of_faces(after=faces[-1].face_id if faces else -1, limit=FACES_AT_ONCE):
        faces += page
    return faces


def page_of_faces(gallery: Gallery, start: int, n: int) -> list[EnrolledFace]:
    """``n`` faces from the ``start``-th, by id; galleries know their place by the id before it alone."""
    after = -1
    while start > 0:
        skipped = gallery.page_of_faces(after=after, limit=min(start, FACES_AT_ONCE))
        if not skipped:
            return []
        start, after = start - len(skipped), skipped[-1].face_id
    return gallery.page_of_faces(after=after, limit=n)


async def remove_everybody(service: Service, gallery: OpenGallery, access: Access) -> int:
    """Remove all subjects with their faces and kept pictures, in one step; how many subjects there were."""

    def remove(opened: Gallery) -> tuple[list[EnrolledFace], list[str]]:
        faces, names = all_faces(opened), [one.name for one in opened.subjects()]
        opened.remove(subjects=names)
        return faces, names

    faces, names = await gallery.write(remove)
    if gallery.keeps_pictures:
        for face in faces:
            (gallery.pictures / key_of(gallery, face)).unlink(missing_ok=True)
    for name in names:
        service.audit.write("remove-subject", by=access.by, gallery=gallery.name, subject=name)
    return len(names)
