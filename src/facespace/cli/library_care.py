"""`facespace library check`, `backup` and `drop-old`: whether a library is whole, a copy of it, and less in it."""

from pathlib import Path
from typing import Annotated

import typer

from facespace.cli.console import agreed, show, show_json
from facespace.cli.options import AsJson, LibraryFolder, Yes
from facespace.errors import LibraryError
from facespace.library import Library, find_library

__all__ = ["backup", "check", "drop_old"]


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
        show(f"{found.n_photos:,} photos, {found.n_faces:,} faces, {templates or 'no templates'}")
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
