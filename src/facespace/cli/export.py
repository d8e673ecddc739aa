"""`facespace export`: the names of a library for other programs, or a training run as a model file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facespace.cli.console import console, progress, show_json, warn
from facespace.cli.options import AsJson, Data
from facespace.errors import InputError, LibraryError

if TYPE_CHECKING:
    from facespace.library import Library, Written

__all__ = ["export"]

NOT_STATED = "not stated"
SHOWN = 20


def export(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="LIBRARY|RUN",
            help="Folder of a library or of the photos it was made of, or a finished run folder.",
            show_default=False,
        ),
    ],
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o", "--output", help="File to write: .csv or .json of a library (repeatable), ONNX of a run."
        ),
    ] = None,
    folders: Annotated[
        Path | None,
        typer.Option(help="Put the photos of each person into a folder of the name, below this one."),
    ] = None,
    link: Annotated[str, typer.Option(help="With --folders: copy, hard or symbolic links.")] = "copy",
    unnamed: Annotated[
        bool, typer.Option("--unnamed", help="With --folders: persons without a name too.")
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
            metavar="DIR", help="Copy the photos of named people there, the names inside the copies."
        ),
    ] = None,
    keywords: Annotated[
        bool, typer.Option("--keywords", help="With --xmp, --xmp-copies: write the names as keywords too.")
    ] = False,
    suggested: Annotated[
        bool, typer.Option("--suggested", help="With names that are only suggested; else the confirmed ones.")
    ] = False,
    photos: Annotated[
        Path | None, typer.Option(help="Where the photos are now, if not where the last run saw them.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing; list what would be.")] = False,
    int8: Annotated[Path | None, typer.Option(help="Of a run: write an int8 twin there too.")] = None,
    old: Annotated[
        Path | None,
        typer.Option(help="Of a harmonic run: where the older model lies now, if not where it was."),
    ] = None,
    data: Data = None,
    training_data: Annotated[
        str, typer.Option(help="Of a run: what the weights saw, for the ModelSpec.")
    ] = NOT_STATED,
    licence: Annotated[
        str, typer.Option(help="Of a run: licence of the weights, for the ModelSpec.")
    ] = NOT_STATED,
    json: AsJson = False,
) -> None:
    """Give the names of a library to other programs, or make a training run an ONNX file. The argument tells which.

    Of a library: a table of all faces (CSV), the document of `facespace people` with the history (JSON), face regions
    with names as digiKam, Lightroom, Picasa, immich and PhotoPrism read them (XMP), a folder a person. The photos stay
    as they are; what other programs wrote into sidecars is kept.

    Of a run: the model with thresholds calibrated on `DATA/faces/val`. An int8 twin is made with the ranges of training
    pictures; its spec says what VAL it loses. The spec of a harmonic run says which older model it may meet, and at
    which distances.

    Example: facespace export ~/Pictures -o faces.csv --xmp beside
    """
    of_library = {
        "folders": folders, "xmp": xmp, "xmp_copies": xmp_copies, "photos": photos, "link": link, "unnamed": unnamed,
        "keywords": keywords, "suggested": suggested, "dry_run": dry_run,
    }  # fmt: skip
    of_run = {"int8": int8, "old": old, "data": data, "training_data": training_data, "licence": licence}
    if not source.exists():
        raise InputError(f"{source}: expected a library, a folder of photos or a training run, there is none")
    if _is_run(source):
        _refuse(source, "a training run", {**of_library, "link": link != "copy"})
        _export_run(source, output or [], of_run, json=json)
    else:
        _refuse(source, "a library", {k: v if v != NOT_STATED else None for k, v in of_run.items()})
        _export_library(source, output or [], of_library, json=json)


def _is_run(folder: Path) -> bool:
    """Whether a folder is of a training run, finished or not: what `facespace train` writes first is there."""
    return any((folder / name).is_file() for name in ("recipe.json", "model.pt"))


def _refuse(source: Path, what: str, options: dict[str, Any]) -> None:
    """Options of the other kind are a mistake, not to be passed over.

    Raises:
        InputError: one was given.
    """
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if given:
        raise InputError(f"{source} is {what}: expected no {', '.join(given)}; see `facespace export --help`")


def _export_run(run: Path, output: list[Path], options: dict[str, Any], *, json: bool) -> None:
    from facespace.cli.train import export_run, show_spec

    if len(output) != 1:
        raise InputError(f"{run} is a training run: expected one ONNX file to write (-o), got {len(output)}")
    specs = export_run(run, output[0], **options)
    if json:
        show_json(specs[0] if options["int8"] is None else specs)
    for spec in [] if json else specs:
        show_spec(spec)


def _export_library(source: Path, output: list[Path], options: dict[str, Any], *, json: bool) -> None:
    from facespace.library import Library, find_library
    from facespace.library.exchange import TABLES

    try:
        where = find_library(source)
    except LibraryError as error:
        raise LibraryError(f"{error}; or a training run, which begins with recipe.json") from error
    if not (output or options["folders"] or options["xmp"] or options["xmp_copies"]):
        raise InputError(f"{source}: expected what to write: -o FILE, --folders, --xmp or --xmp-copies")
    for file in output:
        if file.suffix.lower() not in TABLES:
            raise InputError(f"{file}: expected a file of a library to end in {' or '.join(TABLES)}")
    with Library(where, create=False) as library:
        done = _tables(library, output, dry_run=options["dry_run"]) | _written(library, options)
    if json:
        show_json({"dry_run": options["dry_run"], **done})
    else:
        _show(done, dry_run=options["dry_run"])


def _tables(library: "Library", output: list[Path], *, dry_run: bool) -> dict[str, Any]:
    from facespace.library import export_people

    if dry_run:
        return {"files": [{"file": file, "faces": None} for file in output]}
    return {"files": [{"file": file, "faces": export_people(library, file)} for file in output]}


def _written(library: "Library", options: dict[str, Any]) -> "dict[str, Written]":
    """What the options ask for beside tables, by the option's name."""
    from facespace.library import sort_into_folders, write_copies, write_sidecars

    every = {name: options[name] for name in ("photos", "suggested", "dry_run")}
    done: dict[str, Written] = {}
    if options["xmp"]:
        to = None if options["xmp"] == "beside" else Path(options["xmp"])
        with progress("writing sidecars") as on_photo:
            done["xmp"] = write_sidecars(
                library, to, **every, keywords=options["keywords"], on_photo=on_photo
            )
    if options["xmp_copies"]:
        with progress("copying photos") as on_photo:
            done["xmp_copies"] = write_copies(
                library, options["xmp_copies"], **every, keywords=options["keywords"], on_photo=on_photo
            )
    if options["folders"]:
        with progress("sorting photos") as on_photo:
            done["folders"] = sort_into_folders(
                library, options["folders"], **every, link=options["link"], unnamed=options["unnamed"],
                on_photo=on_photo,
            )  # fmt: skip
    return done


def _show(done: dict[str, Any], *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    for table in done.pop("files"):
        faces = "" if dry_run else f": {table['faces']:,} faces"
        console.print(f"{table['file']} {would}written{faces}", markup=False)
    for what, result in done.items():
        for file in result.written if dry_run else []:
            console.print(str(file), markup=False)
        console.print(
            f"{what.replace('_', '-')}: {len(result.written):,} files {would}written, "
            f"{result.n_unchanged:,} said it already",
            markup=False,
        )
        for skipped in result.skipped[:SHOWN]:
            warn(f"{skipped.photo}: {skipped.reason}")
        if len(result.skipped) > SHOWN:
            warn(f"and {len(result.skipped) - SHOWN:,} more photos; --json lists them all")
