"""`facespace library import-names`: names that digiKam, Lightroom, Picasa and others gave to faces."""

from pathlib import Path
from typing import Annotated

import typer

from facespace.cli.console import show, show_json, warn
from facespace.cli.options import AsJson, DryRun, LibraryFolder, Photos
from facespace.cli.progress import progress
from facespace.library import Imported, Library, find_library

__all__ = ["import_names"]

SHOWN = 20


def import_names(
    library: LibraryFolder,
    photos: Photos = None,
    contacts: Annotated[
        Path | None, typer.Option(help="Picasa's contacts.xml, for names that its folders do not hold.")
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(help="Code page of Picasa's older files, such as cp1252, where it cannot be told."),
    ] = None,
    dry_run: DryRun = False,
    json: AsJson = False,
) -> None:
    """Read the names that other programs gave to faces.

    They are read from XMP sidecars, from photos and from Picasa's files. A named region confirms the face that was
    found at its place. Corrections made here win, and contradictions are reported. The whole import is one entry of
    the history: one `facespace library undo` takes it back.

    Example: facespace library import-names ~/Pictures
    """
    with Library(find_library(library), create=False) as opened, progress("reading regions") as on_photo:
        imported = opened.import_names(
            photos=photos, contacts=contacts, encoding=encoding, dry_run=dry_run, on_photo=on_photo
        )
    show_json(imported) if json else _show(imported, dry_run=dry_run)


def _show(imported: Imported, *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    show(
        f"{imported.n_regions:,} named regions: {imported.n_confirmed:,} faces {would}confirmed, "
        f"{imported.n_known:,} already known, {len(imported.contradictions):,} contradict a correction made here, "
        f"{len(imported.unmatched):,} without a face or left alone, {len(imported.skipped):,} files not read"
    )
    left = [*imported.contradictions, *imported.unmatched]
    for one in left[:SHOWN]:
        warn(f"{one.photo}: {one.name}: {one.reason}")
    for skipped in imported.skipped[:SHOWN]:
        warn(f"{skipped.photo}: {skipped.reason}")
    if max(len(left), len(imported.skipped)) > SHOWN:
        warn("and more; --json lists them all")
    if imported.entry:
        show(f"{imported.entry.entry_id}: {imported.entry.what}")
