"""`facespace library`: names and corrections, their history, and the care of a library."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from facespace.cli.console import agreed, show, show_json
from facespace.cli.options import AsJson, LibraryFolder, Yes
from facespace.errors import LibraryError
from facespace.library import Entry, Library, find_library
from facespace.web.rendering import items

Person = Annotated[
    str, typer.Argument(metavar="PERSON", help="Number or name of a person.", show_default=False)
]
Faces = Annotated[
    list[str],
    typer.Argument(
        metavar="FACE...",
        help="PHOTO#K, the K-th face from the left; PHOTO alone if it shows one face; or a face id.",
        show_default=False,
    ),
]


def name(
    library: LibraryFolder,
    person: Person,
    new_name: Annotated[str, typer.Argument(metavar="NAME", help="The name.", show_default=False)],
    json: AsJson = False,
) -> None:
    """Give a person a name.

    The first name confirms the faces that the person is shown with.

    Example: facespace library name ~/Pictures 3 "Ann Lee"
    """
    _correct(library, json, lambda opened: opened.name(person, new_name))


def merge(
    library: LibraryFolder,
    person: Person,
    others: Annotated[
        list[str],
        typer.Argument(metavar="OTHER...", help="The persons to join with PERSON.", show_default=False),
    ],
    json: AsJson = False,
) -> None:
    """Join persons who are the same one.

    All become PERSON. The name is the first one that any of them has.

    Example: facespace library merge ~/Pictures Ann 7 12
    """
    _correct(library, json, lambda opened: opened.merge(person, *others))


def split(
    library: LibraryFolder,
    person: Person,
    faces: Faces,
    name: Annotated[str | None, typer.Option(help="Name of the new person.")] = None,
    json: AsJson = False,
) -> None:
    """Make faces of a person a new person.

    The two stay apart in all later runs.

    Example: facespace library split ~/Pictures Ann party.jpg#2 beach.jpg#1
    """
    _correct(library, json, lambda opened: opened.split(person, _below(library, faces), name=name))


def apart(library: LibraryFolder, person: Person, other: Person, json: AsJson = False) -> None:
    """Keep two persons apart, as different people.

    Example: facespace library apart ~/Pictures Ann 7
    """
    _correct(library, json, lambda opened: opened.apart(person, other))


def confirm(
    library: LibraryFolder,
    person: Person,
    faces: Annotated[
        list[str] | None,
        typer.Argument(metavar="FACE...", help="PHOTO#K or a face id. Default: all suggested faces."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Confirm that faces show a person.

    Example: facespace library confirm ~/Pictures Ann party.jpg#2
    """
    _correct(library, json, lambda opened: opened.confirm(person, _below(library, faces or ())))


def reject(library: LibraryFolder, person: Person, faces: Faces, json: AsJson = False) -> None:
    """Say that faces do not show a person.

    The next `facespace people` groups them again.

    Example: facespace library reject ~/Pictures Ann party.jpg#2
    """
    _correct(library, json, lambda opened: opened.reject(person, _below(library, faces)))


def not_a_face(library: LibraryFolder, faces: Faces, json: AsJson = False) -> None:
    """Leave out what is not a face.

    Also for faces that are not worth keeping. They take no part in later runs.

    Example: facespace library not-a-face ~/Pictures poster.jpg#3
    """
    _correct(library, json, lambda opened: opened.not_a_face(_below(library, faces)))


def hide(
    library: LibraryFolder,
    person: Person,
    show: Annotated[bool, typer.Option("--show", help="Show the person again.")] = False,
    json: AsJson = False,
) -> None:
    """Leave a person out of tables and pages.

    Example: facespace library hide ~/Pictures 7
    """
    _correct(library, json, lambda opened: opened.hide(person, hidden=not show))


def undo(
    library: LibraryFolder,
    entry: Annotated[
        int | None, typer.Argument(help="Number of an entry of the history. Default: the last one.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Undo the last correction, or an earlier one.

    An earlier one can be undone if no later one depends on it.

    Example: facespace library undo ~/Pictures
    """
    _correct(library, json, lambda opened: opened.undo(entry))


def redo(library: LibraryFolder, json: AsJson = False) -> None:
    """Redo what was undone last.

    This works as long as no correction was made since.

    Example: facespace library redo ~/Pictures
    """
    _correct(library, json, lambda opened: opened.redo())


def history(library: LibraryFolder, json: AsJson = False) -> None:
    """List all corrections, the newest first.

    Example: facespace library history ~/Pictures
    """
    with Library(find_library(library), create=False) as opened:
        entries = opened.history()
    if json:
        show_json(entries)
    for entry in [] if json else entries:
        show(f"{entry.entry_id:>6}  {entry.at[:16]}  {entry.what}{'' if entry.in_force else ' (undone)'}")


def forget(library: LibraryFolder, person: Person, yes: Yes = False, json: AsJson = False) -> None:
    """Delete all data of a person, for good.

    Templates, thumbnails, name and corrections are removed from the library's files. The photos stay as they are, and
    later runs do not learn the person again.

    Example: facespace library forget ~/Pictures Ann
    """
    with Library(find_library(library), create=False) as opened:
        agreed(f"Forget {person} for good?", yes=yes)
        forgotten = opened.forget(person)
    show_json(forgotten) if json else show(forgotten.entry.what)


def _below(folder: Path, faces: Sequence[str]) -> list[str]:
    """Faces whose photo was named with the photo folder in front, as a shell completes it."""
    return [face.removeprefix(f"{folder}{os.sep}") for face in faces]


def _correct(folder: Path, json: bool, correct: Callable[[Library], Entry | None]) -> None:
    with Library(find_library(folder), create=False) as opened:
        entry = correct(opened)
    if json:
        show_json(entry)
    else:
        show(f"{entry.entry_id}: {entry.what}" if entry else "nothing to change")


def check(library: LibraryFolder, json: AsJson = False) -> None:
    """Check that a library is whole.

    Looks through its file, its templates and the pictures beside it; nothing is changed. Exit code 2 if something is
    wrong.

    Example: facespace library check ~/Pictures
    """
    with Library(find_library(library), create=False) as opened:
        found = opened.check()
        folder = opened.folder
    if json:
        show_json({"is_sound": found.is_sound, **vars(found)})
    else:
        templates = ", ".join(f"{n:,} templates of {model}" for model, n in found.n_templates.items())
        show(
            f"{items(found.n_photos, found.n_videos)}, {found.n_faces:,} faces, {templates or 'no templates'}"
        )
        show(*(f"problem: {problem}" for problem in found.problems))
    if not found.is_sound:
        raise LibraryError(
            f"{folder}: expected a sound library, met {len(found.problems)} problems; put a backup in its place, "
            "or remove it and scan the photos again"
        )


def backup(
    library: LibraryFolder,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", help="File to write; an older backup is replaced.", show_default=False
        ),
    ],
    json: AsJson = False,
) -> None:
    """Copy a library to one file.

    Names, corrections, faces and templates are in it, the photos are not. Other programs may use the library
    meanwhile. To go back, put the file in the place of library.sqlite.

    Example: facespace library backup ~/Pictures -o library-backup.sqlite
    """
    with Library(find_library(library), create=False) as opened:
        opened.backup(output)
    size = output.stat().st_size
    show_json({"file": output, "bytes": size}) if json else show(f"{output}: {size / 1e6:.1f} MB")


def drop_old(library: LibraryFolder, yes: Yes = False, json: AsJson = False) -> None:
    """Delete the templates of former models.

    They are kept when the library moves to another model, so that it can go back without embedding again. Faces that
    have no other template keep theirs.

    Example: facespace library drop-old ~/Pictures
    """
    with Library(find_library(library), create=False) as opened:
        agreed("Delete the templates of former models? There is no way back", yes=yes)
        dropped = opened.drop_old()
    if json:
        show_json({"dropped": dropped})
    else:
        deleted = "; ".join(f"{n} templates of {label} deleted" for label, n in dropped.items())
        show(deleted or "nothing to delete")
