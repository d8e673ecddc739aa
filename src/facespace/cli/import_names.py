"""`facespace import-names`: names that digiKam, Lightroom, Picasa and others gave to faces, taken into a library."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli.console import console, progress, show_json, warn
from facespace.cli.corrections import Where
from facespace.cli.options import AsJson

if TYPE_CHECKING:
    from facespace.library import Imported

__all__ = ["import_names"]

SHOWN = 20


def import_names(
    library: Where,
    photos: Annotated[
        Path | None, typer.Option(help="Where the photos are now, if not where the last run saw them.")
    ] = None,
    contacts: Annotated[
        Path | None, typer.Option(help="Picasa's contacts.xml, for names that its folders do not hold.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing; say what would come of it.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Take over the names that other programs gave to faces, from XMP sidecars, photos and Picasa's files.

    A region with a name is matched to the face that was found there and confirms it. What you said here wins and is
    reported. All is one entry of the history: one `facespace undo` takes it back.

    Example: facespace import-names ~/Pictures
    """
    from facespace.library import Library, find_library

    with Library(find_library(library), create=False) as opened, progress("reading regions") as on_photo:
        imported = opened.import_names(photos=photos, contacts=contacts, dry_run=dry_run, on_photo=on_photo)
    if json:
        show_json(imported)
    else:
        _show(imported, dry_run=dry_run)


def _show(imported: "Imported", *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    console.print(
        f"{imported.n_regions:,} named regions: {imported.n_confirmed:,} faces {would}confirmed, "
        f"{imported.n_known:,} known already, {len(imported.contradictions):,} contradict what was said here, "
        f"{len(imported.unmatched):,} without a face",
        markup=False,
    )
    left = [*imported.contradictions, *imported.unmatched]
    for one in left[:SHOWN]:
        warn(f"{one.photo}: {one.name}: {one.reason}")
    for skipped in imported.skipped[:SHOWN]:
        warn(f"{skipped.photo}: {skipped.reason}")
    if max(len(left), len(imported.skipped)) > SHOWN:
        warn("and more; --json lists them all")
    if imported.entry:
        console.print(f"{imported.entry.entry_id}: {imported.entry.what}", markup=False)
