"""`facespace people`: the people of a folder of photos."""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli.console import console, progress, say, show_json, warn
from facespace.cli.options import AsJson, DetectorFile, ModelFile, PairFar, Strangers, Workers
from facespace.cluster.threshold import STRANGERS_IN_REACH

if TYPE_CHECKING:
    from facespace.embed import Embedder
    from facespace.faces.detect import Detector
    from facespace.images import Unreadable
    from facespace.library import Library, People, Person, ScanResult
    from facespace.models import ModelSpec

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
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Go on following the folder until Ctrl-C, which ends it with exit code 0."
        ),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Hash all photos, also those whose size and time have not changed."),
    ] = False,
    detect_anew: Annotated[
        bool,
        typer.Option("--detect-anew", help="Look again for faces in photos that another detector has read."),
    ] = False,
    drop_missing: Annotated[
        bool,
        typer.Option(
            "--drop-missing", help="Let go of missing photos even if their disk seems not to be there."
        ),
    ] = False,
    old_model: Annotated[
        str | None,
        typer.Option(
            help="File of the model that the library stands on, if it is neither built in nor among yours."
        ),
    ] = None,
    keep_old: Annotated[
        bool, typer.Option("--keep-old", help="Keep the old model's templates when --model takes its place.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Find the faces of a folder of photos, group them by person, and write a page to look at.

    A second run costs only new and changed photos, and keeps to all that was said of the faces (`facespace name`,
    `confirm`, `reject` and the like). Where another model than the library's is named, or has become the built-in one,
    it takes the place of the old one: faces are embedded again, photo by photo, and none is looked for anew.

    Example: facespace people ~/Pictures
    """
    from facespace.embed import Embedder
    from facespace.faces.detect import Detector
    from facespace.library import Library, default_library_dir, reading_embedder, scan
    from facespace.library.page_files import PAGE

    folder = library or default_library_dir(photos)
    if not (json or watch) and _is_nothing(photos, folder):
        say(
            f"no photos in {photos}: looked for JPEG, PNG, WebP, TIFF, HEIC, GIF and BMP files, subfolders included"
        )
        return
    with Library(folder) as opened:
        with progress("finding faces") as on_photo:
            finder, embedder = Detector(detector), Embedder(model)
            reader = reading_embedder(opened, embedder, old=old_model)
            result = scan(
                opened, photos, finder, reader, verify=verify, detect_anew=detect_anew, drop_missing=drop_missing,
                workers=workers, on_photo=on_photo, on_look=lambda done, n: on_photo(done, n, "comparing files"),
            )  # fmt: skip
            group = partial(_group, opened, photos, embedder.spec, strangers=strangers, far=far)
            found = group(result.unreadable)
        if _upgrade(opened, photos, embedder, workers, keep_old):
            found = group(result.unreadable)
        _tell(found, result, verify)
        if json:
            show_json(found.to_json())
        else:
            _show(found, result.n_new)
        say(f"library: {folder}")
        say(f"page:    {(folder / PAGE).resolve().as_uri()}")
        if watch:
            _follow(opened, photos, finder, embedder, workers, group, result.unreadable)


def _is_nothing(photos: Path, library: Path) -> bool:
    """Neither photos nor a library that knows of some."""
    from facespace.images import list_photos
    from facespace.library import CATALOGUE

    return not (library / CATALOGUE).exists() and not list_photos(photos).photos


def _group(
    library: "Library",
    photos: Path,
    spec: "ModelSpec",
    unreadable: "tuple[Unreadable, ...]",
    *,
    strangers: float,
    far: float | None,
) -> "People":
    """Groups and page, where they are not as they should be."""
    from facespace import __version__
    from facespace.library import group_people, library_model
    from facespace.library.page_files import note_page, page_is_current, page_key
    from facespace.web.page import write_page

    standing = library_model(library) or spec
    found = group_people(library, standing, strangers=strangers, far=far, unreadable=unreadable)
    key = page_key(__version__, photos.resolve(), found)
    if not page_is_current(library.folder, key):
        write_page(library, found, photos)
        note_page(library.folder, key)
    return found


def _upgrade(
    library: "Library", photos: Path, embedder: "Embedder", workers: int | None, keep_old: bool
) -> bool:
    """Whether there was something to do."""
    from facespace.library import library_model, upgrade

    standing = library_model(library)
    moves = standing is not None and standing.sha256 != embedder.spec.sha256
    if standing is not None and moves:
        say(f"{embedder.spec.label} takes the place of {standing.label}; names and corrections stay")
    with progress("embedding faces again") as on_face:
        done = upgrade(library, photos, embedder, keep_old=keep_old, workers=workers, on_face=on_face)
    for missing in done.not_at_hand:
        warn(f"{missing.photo}: keeps the old model's template: {missing.reason}")
    if moves:
        say(done.line())
    return moves or done.n_embedded > 0


def _tell(found: "People", result: "ScanResult", verify: bool) -> None:
    _warn_of(found.unreadable)
    if result.n_absent:
        warn(
            f"{_count(result.n_absent, 'photo')} of a disk or folder that is not there stay in the library; "
            "--drop-missing lets go of them"
        )
    if verify:
        altered = ", ".join(result.altered)
        say(
            f"compared the content of {_count(result.n_photos, 'photo')}: "
            + (
                f"{len(result.altered)} changed behind an unchanged time, read again: {altered}"
                if altered
                else "as it was"
            )
        )


def _warn_of(photos: "Iterable[Unreadable]") -> None:
    for unreadable in photos:
        warn(f"{unreadable.photo}: {unreadable.reason}")


def _follow(
    library: "Library",
    photos: Path,
    detector: "Detector",
    embedder: "Embedder",
    workers: int | None,
    group: "Callable[[tuple[Unreadable, ...]], People]",
    unreadable: "tuple[Unreadable, ...]",
) -> None:
    """Until Ctrl-C; ``unreadable`` was told before."""
    from facespace.library import watch

    say(f"following {photos}; Ctrl-C ends")
    told = set(unreadable)
    try:
        for result in watch(
            library, photos, detector, embedder, stop=Event(), workers=workers, on_trouble=warn
        ):
            found = group(result.unreadable)
            _warn_of(set(result.unreadable) - told)
            told = set(result.unreadable)
            if result.has_changes:
                say(
                    f"{datetime.now():%H:%M:%S} {result.n_new} read, {result.n_moved} moved, {result.n_removed} gone: "
                    f"{_count(len(found.seen_again), 'person', 'people')} in {_count(found.n_photos, 'photo')}"
                )
    except KeyboardInterrupt:
        say("stopped following; the library is up to date with what was read")


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
