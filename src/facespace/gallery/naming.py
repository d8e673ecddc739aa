"""Whose photos they are: by folder, or by a list."""

from collections.abc import Callable, Sequence
from pathlib import Path

from facespace.errors import DataError, InputError
from facespace.images import Unreadable, list_photos
from facespace.spreadsheets import OnBroken, cell_text, read_table, refuse_rows
from facespace.store import clean_name

# A photo and the subject whom it shows.
NamedPhotos = list[tuple[Path, str]]


def read_labels(path: Path, *, on_broken: OnBroken | None = None) -> dict[str, str]:
    """Photo -> person from a CSV file with the columns `photo` and `person`; see `facespace.spreadsheets`.

    Args:
        path: of the file.
        on_broken: called with a line of text for each row that cannot be used; None makes them an error.

    Raises:
        DataError: no such file or columns, or broken rows.
    """
    return {photo: person for _, photo, person in _labels(path, on_broken)}


def _labels(path: Path, on_broken: OnBroken | None) -> list[tuple[int, str, str]]:
    """Line, photo and person of each row that can be used."""
    table = read_table(path)
    broken, labels, known = list(table.broken), [], dict[str, tuple[int, str]]()
    for line, (photo, cell) in table.select("photo", "person"):
        if not (photo and cell):
            broken.append((line, "expected a photo and a person, a cell is empty"))
            continue
        try:
            person = clean_name(cell_text(cell))
        except InputError as error:
            broken.append((line, str(error)))
            continue
        before = known.setdefault(photo, (line, person))
        if before[1] != person:
            broken.append((line, f"{photo} is on line {before[0]} as another person"))
        elif before[0] == line:
            labels.append((line, photo, person))
    refuse_rows(path, broken, on_broken)
    return labels


def named_by_folder(
    roots: Sequence[Path], *, on_unreadable: Callable[[Unreadable], None] | None = None
) -> tuple[NamedPhotos, list[Path]]:
    """The photos below each folder of ``roots``, named after the folder right below it.

    Args:
        roots: folders of people's folders.
        on_unreadable: called with each folder that cannot be opened or whose name cannot be a person's; None makes it
            an error.

    Returns:
        the named photos, and those that lie in no such folder.

    Raises:
        DataError: a root is no folder, or a folder cannot be used.
    """
    named: NamedPhotos = []
    loose: list[Path] = []
    for root in roots:
        listing = list_photos(root)
        inside = [(photo, photo.relative_to(root).parts[:-1]) for photo in listing.photos]
        names, refused = _folder_names(root, {folders[0] for _, folders in inside if folders})
        for one in (*listing.unreadable, *refused):
            if on_unreadable is not None:
                on_unreadable(one)
            elif one.photo.is_dir():  # a person would be left out
                raise DataError(f"{one.photo}: expected a folder of a person's photos, {one.reason}")
        named += [(photo, names[f[0]]) for photo, f in inside if f and f[0] in names]
        loose += [photo for photo, folders in inside if not folders]
    return named, loose


def _folder_names(root: Path, folders: set[str]) -> tuple[dict[str, str], list[Unreadable]]:
    """The person of each folder, and the folders whose names cannot be a person's."""
    names, refused = {}, []
    for folder in sorted(folders):
        try:
            names[folder] = clean_name(folder)
        except InputError as error:
            refused.append(Unreadable(root / folder, str(error)))
    return names, refused


def named_by_labels(roots: Sequence[Path], labels: Path, *, on_broken: OnBroken | None = None) -> NamedPhotos:
    """The photos that a CSV file (`read_labels`) names, looked for below each of ``roots``.

    Raises:
        DataError: no such file or columns; broken rows, or photos that are not there, without ``on_broken``.
    """
    named, broken = [], []
    for line, name, person in _labels(labels, on_broken):
        found = [root / name for root in roots if _is_file(root / name)]
        if found:
            named.append((found[0], person))
        else:
            broken.append((line, f"expected {name} below {', '.join(map(str, roots))}, it is not there"))
    refuse_rows(labels, broken, on_broken)
    return named


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or with a null character
        return False
