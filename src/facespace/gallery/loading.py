"""Whose the faces of a table are, and the largest of each photo: what is enrolled of embedded photos."""

from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from facespace.errors import DataError
from facespace.gallery.naming import read_labels
from facespace.spreadsheets import OnBroken
from facespace.store import clean_name
from facespace.table import FaceTable

FACES_AT_ONCE = 50_000

# The subject of each photo of a table by its index; None leaves its faces out.
NameOf = Callable[[FaceTable, int], str | None]


def names_of_table(table: FaceTable, photo: int) -> str | None:
    """By the people whom the table itself names.

    Raises:
        DataError: it names nobody.
    """
    if table.identities is None:
        raise DataError(
            "the table does not say who its photos show; say it: --by-folder, or --labels CSV with the columns "
            "photo,person"
        )
    return table.identities[photo] or None


def names_by_folder(table: FaceTable, photo: int) -> str | None:
    """By the folder that a photo lies in."""
    return PurePath(table.photos[photo]).parent.name or None


def names_by_labels(labels: Path, *, on_broken: OnBroken | None = None) -> NameOf:
    """By a CSV file with the columns `photo` and `person`; a photo is named by its whole path or the end of it.

    Raises:
        DataError: no such file or columns, or broken rows without ``on_broken``.
    """
    people = read_labels(labels, on_broken=on_broken)
    depths = sorted({len(PurePath(photo).parts) for photo in people}, reverse=True)

    def name_of(table: FaceTable, photo: int) -> str | None:
        parts = PurePath(table.photos[photo]).parts
        ends = (str(PurePath(*parts[-depth:])) for depth in depths if depth <= len(parts))
        return people.get(table.photos[photo]) or next((people[end] for end in ends if end in people), None)

    return name_of


def largest_faces(table: FaceTable) -> NDArray[np.int64]:
    """The row of the largest face of each photo that has any, as in an enrolment; of ready crops the first."""
    sides = table.box_xyxy[:, 2:] - table.box_xyxy[:, :2]
    area = np.nan_to_num(sides[:, 0] * sides[:, 1], nan=0.0)
    order = np.lexsort((np.arange(len(table)), -area, table.photo_idx))
    _, first = np.unique(table.photo_idx[order], return_index=True)
    return np.asarray(np.sort(order[first]), np.int64)


def parts_of(folder: Path, name_of: NameOf) -> Iterator[tuple[FaceTable, list[str], int]]:
    """The faces of a table that can be enrolled, some ten thousands at once, with their subjects.

    Args:
        folder: the table.
        name_of: whose a photo's face is.

    Yields:
        faces, their subjects, and how many faces of the table were passed over meanwhile.

    Raises:
        DataError: no table there, or it does not name its people.
        InputError: a name that is none.
    """
    for table in FaceTable.shards(folder):
        photos = {int(i) for i in np.unique(table.photo_idx)}
        names = {i: name_of(table, i) for i in photos}
        clean = {i: clean_name(name) for i, name in names.items() if name}
        rows = [row for row in largest_faces(table).tolist() if int(table.photo_idx[row]) in clean]
        # In the order of the ids, in which a gallery keeps them.
        kept = np.array(rows, np.int64)
        kept = kept[np.argsort(table.face_id[kept])]
        n_passed = len(table) - len(kept)
        for start in range(0, max(1, len(kept)), FACES_AT_ONCE):
            part = kept[start : start + FACES_AT_ONCE]
            yield table[part], [clean[int(i)] for i in table.photo_idx[part]], n_passed
            n_passed = 0
