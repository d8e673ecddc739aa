"""Whether a library is whole: its file, its templates, and the pictures beside it."""

from dataclasses import dataclass

from facespace.library.catalogue import Catalogue
from facespace.library.files import pictures_of


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        problems: what is wrong, a line each; empty for a sound library.
        n_photos: photos and videos that are there.
        n_videos: of these.
        n_faces: of these photos.
        n_templates: of each model, by its label.
    """

    problems: tuple[str, ...]
    n_photos: int
    n_videos: int
    n_faces: int
    n_templates: dict[str, int]

    @property
    def is_sound(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


def check(catalogue: Catalogue) -> Checked:
    """Look through a library's file and the pictures beside it; nothing is changed.

    Raises:
        LibraryError: the file is so damaged that it cannot be read at all.
    """
    problems = catalogue.problems()
    if problems:
        return Checked(problems, 0, 0, 0, {})
    counts = catalogue.templates.count()
    of_models = {model.label: counts.get(model.sha256, 0) for model in catalogue.templates.models()}
    return Checked(
        (*_templates(catalogue), *_pictures(catalogue)),
        *catalogue.count_items(),
        catalogue.value(
            "SELECT count(*) FROM faces JOIN photos USING (photo_id) WHERE path NOTNULL AND of_track IS NULL"
        ),
        {label: n for label, n in of_models.items() if n},
    )


def _templates(catalogue: Catalogue) -> list[str]:
    """Templates that cannot be read, and faces without any."""
    found = list(catalogue.templates.problems())
    faces = catalogue.values(
        "SELECT face_id FROM faces JOIN photos USING (photo_id) WHERE path NOTNULL"
        " AND face_id NOT IN (SELECT face_id FROM ignored)"
    )
    n = len(set(faces).difference(catalogue.templates.faces().tolist()))
    if n:
        found.append(f"faces without a template, which are in no group: {n}")
    return found


def _pictures(catalogue: Catalogue) -> list[str]:
    """Thumbnails and previews of faces that are not in the library."""
    beside = pictures_of(catalogue.folder)
    known = set(catalogue.values("SELECT face_id FROM faces"))
    lost = sum(len(files) for face_id, files in beside.items() if face_id not in known)
    return [f"thumbnails and previews of faces that the library does not know: {lost}"] if lost else []
