"""`facespace name`, `merge`, `split` and the like: what people say of a library's faces, and the history of it."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli.console import console, show_json
from facespace.cli.options import AsJson

if TYPE_CHECKING:
    from facespace.library import Entry, Library

__all__ = ["register"]

Where = Annotated[
    Path,
    typer.Argument(
        metavar="LIBRARY", help="Folder of the library, or of the photos it was made of.", show_default=False
    ),
]
Person = Annotated[
    str, typer.Argument(metavar="PERSON", help="Number or name of a person.", show_default=False)
]
Faces = Annotated[
    list[str],
    typer.Argument(
        metavar="FACE...",
        help="PHOTO#K, the K-th face of the photo from the left, or a face id; of a single face PHOTO will do.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the tree."""
    for command in (
        name,
        merge,
        split,
        apart,
        confirm,
        reject,
        not_a_face,
        hide,
        undo,
        redo,
        history,
        forget,
    ):
        app.command(command.__name__.replace("_", "-"))(command)


def name(
    library: Where,
    person: Person,
    new_name: Annotated[str, typer.Argument(metavar="NAME", help="The name.", show_default=False)],
    json: AsJson = False,
) -> None:
    """Give a person a name. The faces shown for a person without a name so far are confirmed.

    Example: facespace name ~/Pictures 3 "Ann Lee"
    """
    _correct(library, json, lambda opened: opened.name(person, new_name))


def merge(
    library: Where,
    person: Person,
    others: Annotated[
        list[str],
        typer.Argument(metavar="OTHER...", help="The persons who are the same one.", show_default=False),
    ],
    json: AsJson = False,
) -> None:
    """Make persons one: all become PERSON, with the first name that one of them has.

    Example: facespace merge ~/Pictures Ann 7 12
    """
    _correct(library, json, lambda opened: opened.merge(person, *others))


def split(
    library: Where,
    person: Person,
    faces: Faces,
    name: Annotated[str | None, typer.Option(help="Name of the new person.")] = None,
    json: AsJson = False,
) -> None:
    """Make faces of a person another person, a new one; the two are told apart in all later runs.

    Example: facespace split ~/Pictures Ann party.jpg#2 beach.jpg#1
    """
    _correct(library, json, lambda opened: opened.split(person, _below(library, faces), name=name))


def apart(library: Where, person: Person, other: Person, json: AsJson = False) -> None:
    """Say that two persons are different people.

    Example: facespace apart ~/Pictures Ann 7
    """
    _correct(library, json, lambda opened: opened.apart(person, other))


def confirm(
    library: Where,
    person: Person,
    faces: Annotated[
        list[str] | None,
        typer.Argument(metavar="FACE...", help="PHOTO#K or face id; all that are suggested unless given."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Say that faces are a person: those named, or all that are suggested.

    Example: facespace confirm ~/Pictures Ann party.jpg#2
    """
    _correct(library, json, lambda opened: opened.confirm(person, _below(library, faces or ())))


def reject(library: Where, person: Person, faces: Faces, json: AsJson = False) -> None:
    """Say that faces are not a person. Whose they are is worked out by the next `facespace people`.

    Example: facespace reject ~/Pictures Ann party.jpg#2
    """
    _correct(library, json, lambda opened: opened.reject(person, _below(library, faces)))


def not_a_face(library: Where, faces: Faces, json: AsJson = False) -> None:
    """Say that these are no faces, or not worth having: they take no part from now on.

    Example: facespace not-a-face ~/Pictures poster.jpg#3
    """
    _correct(library, json, lambda opened: opened.not_a_face(_below(library, faces)))


def hide(
    library: Where,
    person: Person,
    show: Annotated[bool, typer.Option("--show", help="Show the person again.")] = False,
    json: AsJson = False,
) -> None:
    """Leave a person out of tables and pages.

    Example: facespace hide ~/Pictures 7
    """
    _correct(library, json, lambda opened: opened.hide(person, hidden=not show))


def undo(
    library: Where,
    entry: Annotated[
        int | None, typer.Argument(help="Number of an entry of the history; the last one unless given.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Take back the last correction, or an earlier one on which no later one rests.

    Example: facespace undo ~/Pictures
    """
    _correct(library, json, lambda opened: opened.undo(entry))


def redo(library: Where, json: AsJson = False) -> None:
    """Take back the last undo, as long as nothing else was said since.

    Example: facespace redo ~/Pictures
    """
    _correct(library, json, lambda opened: opened.redo())


def history(library: Where, json: AsJson = False) -> None:
    """All corrections, the newest first.

    Example: facespace history ~/Pictures
    """
    from facespace.library import Library, find_library

    with Library(find_library(library), create=False) as opened:
        entries = opened.history()
    if json:
        show_json(entries)
    for entry in [] if json else entries:
        mark = "" if entry.in_force else " (taken back)"
        console.print(f"{entry.entry_id:>6}  {entry.at[:16]}  {entry.what}{mark}", markup=False)


def forget(
    library: Where,
    person: Person,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: AsJson = False,
) -> None:
    """Remove every template, thumbnail and word of a person from the library's files; it cannot be undone.

    The photos stay as they are; a later run over them does not learn the person again.

    Example: facespace forget ~/Pictures Ann
    """
    from facespace.library import Library, find_library

    with Library(find_library(library), create=False) as opened:
        if not yes:
            typer.confirm(f"Forget {person} for good?", abort=True, err=True)
        forgotten = opened.forget(person)
    if json:
        show_json(forgotten)
    else:
        console.print(forgotten.entry.what, markup=False)


def _below(folder: Path, faces: Sequence[str]) -> list[str]:
    """Faces whose photo was named with the photo folder before it, as a shell completes it."""
    return [face.removeprefix(f"{folder}{os.sep}") for face in faces]


def _correct(folder: Path, json: bool, say: "Callable[[Library], Entry | None]") -> None:
    from facespace.library import Library, find_library

    with Library(find_library(folder), create=False) as opened:
        entry = say(opened)
    if json:
        show_json(entry)
    else:
        console.print(f"{entry.entry_id}: {entry.what}" if entry else "nothing to change", markup=False)
