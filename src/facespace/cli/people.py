"""`facespace people`: the people of a folder of photos."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli.console import console, progress, say, show_json, warn
from facespace.cli.options import AsJson, DetectorFile, ModelFile, PairFar, Strangers, Workers
from facespace.cluster.threshold import STRANGERS_IN_REACH

if TYPE_CHECKING:
    from facespace.library import People, Person

__all__ = ["people"]

ROWS_SHOWN = 40


def people(
    photos: Annotated[
        Path, typer.Argument(help="Folder of photos; nothing in it is changed.", show_default=False)
    ],
    library: Annotated[
        Path | None,
        typer.Option(help="Folder of the library; one per photo folder in your data directory unless given."),
    ] = None,
    strangers: Strangers = STRANGERS_IN_REACH,
    far: PairFar = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """Find the faces of a folder of photos, group them by person, and write a page to look at.

    A second run costs only new and changed photos, and keeps to all that was said of the faces (`facespace name`,
    `confirm`, `reject` and the like).

    Example: facespace people ~/Pictures
    """
    from facespace.images import list_photos

    listing = list_photos(photos)
    if not listing.photos and not json:
        say(
            f"no photos in {photos}: looked for JPEG, PNG, WebP, TIFF, HEIC, GIF and BMP files, subfolders included"
        )
        return
    from facespace.embed import Embedder
    from facespace.faces.detect import Detector
    from facespace.library import Library, default_library_dir, group_people, scan
    from facespace.web.page import write_page

    folder = library or default_library_dir(photos)
    with Library(folder) as opened, progress("finding faces") as on_photo:
        embedder = Embedder(model)
        result = scan(opened, photos, Detector(detector), embedder, workers=workers, on_photo=on_photo)
        found = group_people(
            opened, embedder.spec, strangers=strangers, far=far, unreadable=result.unreadable
        )
        page = write_page(opened, found, photos)
    for unreadable in found.unreadable:
        warn(f"{unreadable.photo}: {unreadable.reason}")
    if json:
        show_json(found.to_json())
    else:
        _show(found, result.n_new)
    say(f"library: {folder}")
    say(f"page:    {page.resolve().as_uri()}")


def _show(found: "People", n_new: int) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    waiting = ("suggested", "strangers as near") if any(p.suggested for p in found.seen_again) else ()
    for column in ("person", "faces", "photos", "tightness", *waiting):
        table.add_column(column, justify="left" if column == "person" else "right")
    for person in found.seen_again[:ROWS_SHOWN]:
        name = person.name or str(person.person)
        tightness = "" if person.tightness is None else f"{person.tightness:.2f}"
        table.add_row(
            name, str(len(person.faces)), str(person.n_photos), tightness, *_suggested(person)[: len(waiting)]
        )
    console.print(table)
    if len(found.seen_again) > ROWS_SHOWN:
        console.print(f"and {len(found.seen_again) - ROWS_SHOWN} more people, on the page")
    console.print(
        f"{_count(len(found.seen_again), 'person', 'people')} in {_count(found.n_photos, 'photo')} ({n_new} new); "
        f"{_count(len(found.seen_once), 'face')} seen once; {_count(len(found.unreadable), 'file')} not readable"
    )
    console.print(
        f"threshold {found.threshold:.3f}, for a collection of {_count(found.n_faces, 'face')}: about 1 in "
        f"{round(1 / found.far):,} pairs of strangers look that much alike"
        + (" (extrapolated beyond the calibration)" if found.extrapolated else "")
    )


def _suggested(person: "Person") -> tuple[str, str]:
    """How many faces wait to be confirmed, and how far the farthest lies, with the rate behind it."""
    known = [face for face in person.suggested if face.distance is not None]
    if not known:
        return "", ""
    farthest = max(known, key=lambda face: face.distance or 0.0)
    bound = "about" if farthest.extrapolated else "at most"
    return str(len(known)), f"{bound} 1 in {round(1 / (farthest.far or 1.0)):,} at {farthest.distance:.2f}"


def _count(n: int, one: str, many: str = "") -> str:
    """1 photo, 2 photos."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
