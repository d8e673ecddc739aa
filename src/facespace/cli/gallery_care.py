"""`facespace gallery upgrade`, `export`, `check` and `backup`: a newer model, a list of faces, damage, a copy."""

from pathlib import Path
from typing import Annotated

import typer

from facespace.cli import gallery_shown
from facespace.cli.console import agreed, answer, say
from facespace.cli.gallery import named_file
from facespace.cli.gallery_opened import is_address, own_gallery
from facespace.cli.gallery_remote import upgrade_asked
from facespace.cli.gallery_scale import refresh_index
from facespace.cli.options import (
    AsJson,
    Formulas,
    GalleryFile,
    GalleryKey,
    GalleryPlace,
    NetworkDevice,
    Workers,
    Yes,
)
from facespace.cli.progress import progress
from facespace.errors import GalleryError, InputError
from facespace.gallery import Gallery, Progress
from facespace.models.devices import AUTO


def export(
    file: GalleryFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="File that ends in .csv, .json or .npz.")],
    csv_formulas: Formulas = "names",
    json: AsJson = False,
) -> None:
    """Write all faces to a CSV, JSON or NumPy file.

    An .npz file holds their templates too.

    Example: facespace gallery export team.gallery -o team.csv
    """
    with own_gallery(file, create=False) as gallery:
        n_faces = gallery.export(output, formulas=csv_formulas)
    answer({"faces": n_faces, "output": output}, f"{n_faces} faces in {output}", json=json)


def upgrade(
    file: GalleryPlace,
    to: Annotated[
        str | None,
        typer.Option(
            help="The newer model, by name or file. Default: the gallery's model, to resume an upgrade."
        ),
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(help="Folder to search for photos that have moved, by their content."),
    ] = None,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Only make it the gallery's model, and embed no face again.")
    ] = False,
    back: Annotated[bool, typer.Option("--back", help="Go back to the previous model.")] = False,
    drop_old: Annotated[
        bool,
        typer.Option("--drop-old", help="Delete the old templates of faces that have new ones, for good."),
    ] = False,
    yes: Yes = False,
    device: NetworkDevice = AUTO,
    workers: Workers = None,
    key: GalleryKey = None,
    json: AsJson = False,
) -> None:
    """Move the gallery to a newer model.

    The newer model must be compatible with the old one. Nobody is enrolled again: the new model can search the old
    templates at once, and faces whose photos are available get new templates.

    Example: facespace gallery upgrade team.gallery --to v2.onnx
    """
    if sum([bool(to or at_once or photos), back, drop_old]) > 1:
        raise InputError("expected one of --to, --back and --drop-old")
    if is_address(file):
        upgrade_asked(file, key, None if photos or at_once or back or drop_old else to, json=json)
        return
    with own_gallery(file, create=False) as gallery:
        if back:
            _step_back(gallery, json=json)
        elif drop_old:
            _drop_old(gallery, yes=yes, json=json)
        else:
            _upgrade(gallery, to, photos, at_once=at_once, device=device, workers=workers, json=json)


def check(file: GalleryFile, json: AsJson = False) -> None:
    """Check that a gallery's file is sound.

    Reads all of it: pages, indexes, references, models and templates. Exit code 2 if something is wrong.

    Example: facespace gallery check team.gallery
    """
    with own_gallery(file, create=False) as gallery:
        problems = gallery.check()
    lines = (f"problem: {problem}" for problem in problems)
    answer({"is_sound": not problems, "problems": problems}, *lines, json=json)
    if problems:
        raise GalleryError(
            f"{file}: expected a sound gallery, met {len(problems)} problems; put a backup in its place"
        )


def backup(
    file: GalleryFile,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="File to write; an older backup is replaced.")
    ],
    json: AsJson = False,
) -> None:
    """Copy a gallery as it is now.

    Other programs may write it meanwhile. To recover, use the copy in its place.

    Example: facespace gallery backup team.gallery -o team.backup
    """
    with own_gallery(file, create=False) as gallery:
        gallery.backup(output)
    answer({"file": output}, f"{file} copied to {output}", json=json)


def _upgrade(
    gallery: Gallery,
    to: str | None,
    photos: Path | None,
    *,
    at_once: bool,
    device: str,
    workers: int | None,
    json: bool,
) -> None:
    embedder = gallery.open_embedder(to, device=device)
    with progress("looking at photos") as on_look, progress("embedding again") as on_face:

        def follow(now: Progress) -> None:
            on_face(now.n_done, now.n_faces, now.line())

        result = gallery.upgrade(
            embedder, model_file=named_file(to, embedder), at_once=at_once, photos=photos,
            workers=workers, on_face=follow, on_look=on_look,
        )  # fmt: skip
    refresh_index(gallery)
    gallery_shown.upgrade(result, json=json)


def _step_back(gallery: Gallery, *, json: bool) -> None:
    entry, now = gallery.step_back(), gallery.progress()
    line = f"{entry.spec.label} is the gallery's model again: {now.line()}"
    answer({"model": entry.spec.label, "progress": now.to_json()}, line, json=json)


def _drop_old(gallery: Gallery, *, yes: bool, json: bool) -> None:
    now = gallery.progress()
    say(now.line())
    agreed(f"Delete the old templates of these {now.n_done:,} faces? There is no way back", yes=yes)
    dropped = gallery.drop_old()
    refresh_index(gallery)
    line = "; ".join(f"{n} templates of {label} deleted" for label, n in dropped.items())
    answer({"dropped": dropped, "progress": now.to_json()}, line or "nothing to delete", json=json)
