"""`facespace library export` and `import-names`: names for other programs, and names that these gave to faces."""

from pathlib import Path
from typing import Annotated, Any

import typer

from facespace.cli.console import show, show_json, warn
from facespace.cli.options import AsJson, DryRun, Formulas, LibraryFolder, Photos
from facespace.cli.progress import progress
from facespace.errors import InputError, LibraryError
from facespace.library import Imported, Library, Written, find_library
from facespace.library.exchange import TABLES
from facespace.spreadsheets import check_formulas

SHOWN = 20


def export(
    library: LibraryFolder,
    output: Annotated[
        list[Path] | None,
        typer.Option("-o", "--output", help="Table of all faces to write: a .csv or .json file; repeatable."),
    ] = None,
    folders: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Sort the photos into one folder per person, in DIR.")
    ] = None,
    link: Annotated[str, typer.Option(help="With --folders: copy, hard or symbolic links.")] = "copy",
    unnamed: Annotated[
        bool, typer.Option("--unnamed", help="With --folders: include persons without a name.")
    ] = False,
    xmp: Annotated[
        str | None,
        typer.Option(
            metavar="beside|DIR",
            help="Write XMP sidecars: beside the photos, or into a folder that mirrors theirs.",
        ),
    ] = None,
    xmp_copies: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Copy the photos of named people into DIR, with the names inside the copies."
        ),
    ] = None,
    keywords: Annotated[
        bool, typer.Option("--keywords", help="With --xmp, --xmp-copies: write the names as keywords too.")
    ] = False,
    suggested: Annotated[
        bool,
        typer.Option(
            "--suggested", help="Include names that are only suggested; else confirmed names alone."
        ),
    ] = False,
    csv_formulas: Formulas = "names",
    photos: Photos = None,
    dry_run: DryRun = False,
    json: AsJson = False,
) -> None:
    """Write names as tables, XMP sidecars or folders.

    Tables list all faces (CSV) or all people with the history (JSON). XMP sidecars hold face regions with names, as
    digiKam, Lightroom, Picasa, immich and PhotoPrism read them. The photos are never changed, and what other programs
    wrote into sidecars is kept.

    Example: facespace library export ~/Pictures -o faces.csv --xmp beside
    """
    options = {
        "folders": folders, "xmp": xmp, "xmp_copies": xmp_copies, "photos": photos, "link": link, "unnamed": unnamed,
        "keywords": keywords, "suggested": suggested, "dry_run": dry_run, "formulas": csv_formulas,
    }  # fmt: skip
    _check(library, output or [], options)
    with Library(find_library(library), create=False) as opened:
        tables = _tables(opened, output or [], options)
        done = _written(opened, options)
    document = {"dry_run": dry_run, "files": tables, **done}
    if json:
        show_json(document)
    _check_some(done)
    if not json:
        _show(tables, done, dry_run=dry_run)


def _check(source: Path, output: list[Path], options: dict[str, Any]) -> None:
    if not (output or options["folders"] or options["xmp"] or options["xmp_copies"]):
        raise InputError(f"{source}: expected what to write: -o FILE, --folders, --xmp or --xmp-copies")
    for file in output:
        if file.suffix.lower() not in TABLES:
            raise InputError(f"{file}: expected a file that ends in {' or '.join(TABLES)}")


def _check_some(done: dict[str, Written]) -> None:
    """Refuse to call it an export where nothing could be written.

    Raises:
        LibraryError: with the reason of the first photo.
    """
    failed = [result for result in done.values() if result.n_failed]
    if failed and not any(result.written or result.n_unchanged for result in failed):
        first = failed[0].skipped[0]
        raise LibraryError(
            f"none of {failed[0].n_failed} files could be written; {first.photo}: {first.reason}"
        )


def _tables(library: Library, output: list[Path], options: dict[str, Any]) -> list[dict[str, Any]]:
    check_formulas(options["formulas"])
    if options["dry_run"]:
        return [{"file": file, "faces": None} for file in output]
    formulas = options["formulas"]
    return [{"file": file, "faces": library.export_people(file, formulas=formulas)} for file in output]


def _written(library: Library, options: dict[str, Any]) -> dict[str, Written]:
    """What the options ask for beside tables, by the option's name."""
    every = {name: options[name] for name in ("photos", "suggested", "dry_run")}
    done: dict[str, Written] = {}
    if options["xmp"]:
        to = None if options["xmp"] == "beside" else Path(options["xmp"])
        with progress("writing sidecars") as on_photo:
            done["xmp"] = library.write_sidecars(to, **every, keywords=options["keywords"], on_photo=on_photo)
    if options["xmp_copies"]:
        with progress("copying photos") as on_photo:
            done["xmp_copies"] = library.write_copies(
                options["xmp_copies"], **every, keywords=options["keywords"], on_photo=on_photo
            )
    if options["folders"]:
        with progress("sorting photos") as on_photo:
            done["folders"] = library.sort_into_folders(
                options["folders"], **every, link=options["link"], unnamed=options["unnamed"],
                on_photo=on_photo,
            )  # fmt: skip
    return done


def _show(tables: list[dict[str, Any]], done: dict[str, Written], *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    for table in tables:
        faces = "" if dry_run else f": {table['faces']:,} faces"
        show(f"{table['file']} {would}written{faces}")
    for what, result in done.items():
        for file in result.written if dry_run else []:
            show(str(file))
        show(
            f"{what.replace('_', '-')}: {len(result.written):,} files {would}written, "
            f"{result.n_unchanged:,} up to date"
            + (f", {len(result.skipped):,} photos with notes" if result.skipped else "")
        )
        for skipped in result.skipped[:SHOWN]:
            warn(f"{skipped.photo}: {skipped.reason}")
        if len(result.skipped) > SHOWN:
            warn(f"and {len(result.skipped) - SHOWN:,} more photos; --json lists them all")


def import_names(
    library: LibraryFolder,
    photos: Photos = None,
    contacts: Annotated[
        Path | None, typer.Option(help="Picasa's contacts.xml, for names that its folders do not hold.")
    ] = None,
    encoding: Annotated[
        str | None,
        typer.Option(
            help="Code page of Picasa's older files, such as cp1252, where it cannot be recognised."
        ),
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
    show_json(imported) if json else _show_imported(imported, dry_run=dry_run)


def _show_imported(imported: Imported, *, dry_run: bool) -> None:
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
