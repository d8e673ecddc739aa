"""`facespace people`: the people of a folder of photos."""

from pathlib import Path
from typing import Annotated

import typer

from facespace.cli.console import say, show, show_json
from facespace.cli.options import (
    AsJson,
    DetectorFile,
    ModelFile,
    NetworkDevice,
    PairFar,
    Population,
    Strangers,
    TileChoice,
    Workers,
)
from facespace.cli.people_run import PeopleRun, is_nothing
from facespace.cli.progress import show_table
from facespace.cluster import STRANGERS_IN_REACH
from facespace.embed import Embedder
from facespace.faces.detect import Detector
from facespace.faces.tiles import read_tiles
from facespace.images import EVERY_S
from facespace.library import Library, Look, People, Person, Rule, library_of
from facespace.library.files import PAGE
from facespace.models.devices import AUTO
from facespace.web.text import counted

__all__ = ["people"]

ROWS_SHOWN = 40
LOOKED_FOR = "JPEG, PNG, WebP, TIFF, HEIC, AVIF, JPEG 2000, GIF, BMP and video"


def people(
    photos: Annotated[
        Path, typer.Argument(help="Folder of photos and videos. They are never changed.", show_default=False)
    ],
    library: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the library. Default: one per folder of photos, in your data directory."
        ),
    ] = None,
    strangers: Strangers = STRANGERS_IN_REACH,
    far: PairFar = None,
    population: Population = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    tiles: TileChoice = "auto",
    device: NetworkDevice = AUTO,
    workers: Workers = None,
    video_every: Annotated[
        float,
        typer.Option(
            min=0.0, metavar="SECONDS", help="Look at a frame of videos as often as this; 0: at every frame."
        ),
    ] = EVERY_S,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Follow the folder until Ctrl-C, which ends with exit code 0."),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="Read all photos to find changes, also those whose size and time are the same."
        ),
    ] = False,
    detect_again: Annotated[
        bool,
        typer.Option("--detect-again", help="Detect faces again in photos that another detector has read."),
    ] = False,
    drop_missing: Annotated[
        bool,
        typer.Option(
            "--drop-missing", help="Remove missing photos from the library even if their disk is not there."
        ),
    ] = False,
    old_model: Annotated[
        str | None,
        typer.Option(
            help="File of the library's present model, if it is neither built in nor in your model folder."
        ),
    ] = None,
    drop_old: Annotated[
        bool,
        typer.Option(
            "--drop-old", help="Delete the old model's templates for good, after a move to another model."
        ),
    ] = False,
    _keep_old: Annotated[
        bool, typer.Option("--keep-old", hidden=True, help="Old templates are kept anyway.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Group the photos of a folder by person.

    Finds the faces, groups them, and writes a page to look at. The photos are never changed. A second run reads only
    new and changed photos, and keeps all names and corrections. If --model names another model than the library's, or
    facespace ships a newer one, the library moves to it: known faces are embedded again.

    Example: facespace people ~/Pictures
    """
    folder = library_of(photos, library)
    if not (json or watch) and is_nothing(photos, folder):
        say(f"no photos in {photos}: looked for {LOOKED_FOR} files, subfolders included")
        return
    finder = Detector(detector, tiles=read_tiles(tiles), device=device)
    embedder = Embedder(model, device=device).on_population(population)
    look = Look(verify, finder.spec.sha256 if detect_again else None, drop_missing, video_every)
    with Library(folder) as opened:
        run = PeopleRun(opened, photos, finder, embedder, Rule(strangers, far), workers, video_every)
        done = run.refresh(look=look, old_model=old_model, drop_old=drop_old)
        show_json(done.people.to_json()) if json else _show(done.people, done.scan.n_new)
        say(f"library: {folder}")
        say(f"page:    {(folder / PAGE).resolve().as_uri()}")
        if watch:
            run.follow((*done.scan.unreadable, *done.scan.partial))


def _show(found: People, n_new: int) -> None:
    waiting = ("suggested", "impostors as near") if any(p.suggested for p in found.seen_again) else ()
    numbers = ("faces", "photos", "tightness", *waiting)
    rows = [_row(person)[: 1 + len(numbers)] for person in found.seen_again[:ROWS_SHOWN]]
    show_table(("person", *numbers), rows, right=numbers)
    if len(found.seen_again) > ROWS_SHOWN:
        show(f"and {len(found.seen_again) - ROWS_SHOWN} more people, on the page")
    show(
        f"{counted(len(found.seen_again), 'person', 'people')} in {counted(found.n_photos, 'photo')} ({n_new} new); "
        f"{counted(len(found.seen_once), 'face')} seen once; {_not_readable(found)}",
        f"threshold {found.threshold:.3f}, for a collection of {counted(found.n_faces, 'face')}: about 1 in "
        f"{round(1 / found.far):,} pairs of different people look that much alike"
        + (" (extrapolated beyond the calibration)" if found.extrapolated else ""),
    )


def _not_readable(found: People) -> str:
    files = counted(sum(file.n_files for file in found.unreadable), "file")
    return f"{files} not readable" + (f", {len(found.partial)} in part" if found.partial else "")


def _row(person: Person) -> tuple[str, ...]:
    tightness = "" if person.tightness is None else f"{person.tightness:.2f}"
    return (
        person.name or str(person.person),
        str(len(person.faces)),
        str(person.n_photos),
        tightness,
        *_suggested(person),
    )


def _suggested(person: Person) -> tuple[str, str]:
    """How many faces wait to be confirmed, and how far the farthest lies, with the rate behind it."""
    known = [face for face in person.suggested if face.distance is not None]
    if not known:
        return "", ""
    farthest = max(known, key=lambda face: face.distance or 0.0)
    bound = "about" if farthest.extrapolated else "at most"
    return str(len(known)), f"{bound} 1 in {round(1 / (farthest.far or 1.0)):,} at {farthest.distance:.2f}"
