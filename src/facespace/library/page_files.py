"""The files beside a library's page: a thumbnail of each face, a preview of each photo that browsers do not show."""

from collections.abc import Iterable
from pathlib import Path

__all__ = ["PAGE", "preview_file", "remove_files", "remove_page", "thumbnail_file"]

PAGE = "people.html"


def thumbnail_file(face_id: int) -> Path:
    """Of a face, relative to the library's folder; folders of 256 keep them small."""
    name = f"{face_id:016x}"
    return Path("thumbnails") / name[-2:] / f"{name}.jpg"


def preview_file(face_id: int) -> Path:
    """Of the photo of a face, relative to the library's folder."""
    return Path("previews") / f"{face_id:016x}.jpg"


def remove_files(folder: Path, face_ids: Iterable[int]) -> int:
    """Remove the thumbnails and previews of these faces; returns how many there were."""
    files = [folder / file for number in face_ids for file in (thumbnail_file(number), preview_file(number))]
    return sum(_remove(file) for file in files)


def remove_page(folder: Path) -> int:
    """Remove the page, whose names and pictures are those of its last run; returns how many files there were."""
    return _remove(folder / PAGE)


def _remove(file: Path) -> int:
    """A file, and what a run that was killed while writing it left beside it."""
    found = [file, *file.parent.glob(f"{file.name}.*.partial"), file.with_suffix(".partial")]
    there = [path for path in found if path.exists()]
    for path in there:
        path.unlink()
    return len(there)
