"""Whose photos they are: by folder, or by a list."""

import csv
from collections.abc import Sequence
from pathlib import Path

from facespace.errors import DataError
from facespace.images import list_photos

__all__ = ["NamedPhotos", "named_by_folder", "named_by_labels", "read_labels"]

# A photo and the subject whom it shows.
NamedPhotos = list[tuple[Path, str]]


def read_labels(path: Path) -> dict[str, str]:
    """Photo -> person from a CSV file with the columns `photo` and `person`.

    Raises:
        DataError: no such file or columns.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {row["photo"]: row["person"] for row in csv.DictReader(file)}
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected a CSV file with columns photo,person, got: {error}") from error


def named_by_folder(roots: Sequence[Path]) -> tuple[NamedPhotos, list[Path]]:
    """The photos below each folder of ``roots``, named after the folder right below it.

    Returns:
        the named photos, and those that lie in no such folder.

    Raises:
        DataError: a root is no folder.
    """
    named: NamedPhotos = []
    loose: list[Path] = []
    for root in roots:
        for photo in list_photos(root).photos:
            folders = photo.relative_to(root).parts[:-1]
            if folders:
                named.append((photo, folders[0]))
            else:
                loose.append(photo)
    return named, loose


def named_by_labels(roots: Sequence[Path], labels: Path) -> NamedPhotos:
    """The photos that a CSV file (`read_labels`) names, looked for below each of ``roots``.

    Raises:
        DataError: no such file or columns, or a photo that is not there.
    """
    named = []
    for name, person in read_labels(labels).items():
        found = [root / name for root in roots if (root / name).is_file()]
        if not found:
            raise DataError(f"{labels}: expected {name} below {', '.join(map(str, roots))}, it is not there")
        named.append((found[0], person))
    return named
