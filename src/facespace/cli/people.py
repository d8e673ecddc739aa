"""One run of `facespace people`: what is shown of `Library.refresh` and `Library.watch`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from facespace.cli.console import say, show, show_json, warn
from facespace.cli.options import (
    AsJson,
    DetectorFile,
    Impostors,
    ModelFile,
    NetworkDevice,
    PairFar,
    Population,
    TileChoice,
    Workers,
)
from facespace.cli.progress import progress, show_table
from facespace.cluster import IMPOSTORS_IN_REACH
from facespace.embed import Embedder
from facespace.faces.detect import Detector
from facespace.faces.tiles import read_tiles
from facespace.images import EVERY_S, Unreadable, list_photos
from facespace.library import (
    CATALOGUE,
    Library,
    Look,
    People,
    Person,
    Refreshed,
    Rule,
    ScanResult,
    Stage,
    library_of,
)
from facespace.library.files import PAGE
from facespace.models.devices import AUTO
from facespace.web.page import write_page
from facespace.web.rendering import counted, items

DOING: dict[Stage, str] = {
    "comparing": "comparing files",
    "reading": "finding faces",
    "videos": "finding faces in videos, by the second",
    "grouping": "grouping",
    "embedding": "embedding faces again",
}


@dataclass(frozen=True)
class PeopleRun:
    """What the steps of a run share.

    Attributes:
        library: open.
        photos: the folder.
        detector: finds the faces.
        embedder: the one that is wanted.
        rule: of the groups.
        workers: threads; all cores when None.
        every_s: seconds between the frames of a video that are looked at.
    """

    library: Library
    photos: Path
    detector: Detector
    embedder: Embedder
    rule: Rule
    workers: int | None
    every_s: float = EVERY_S

    def refresh(self, *, look: Look, old_model: str | None, drop_old: bool) -> Refreshed:
        """Bring the library up to date, and say what is amiss."""
        standing, wanted = self.library.model(), self.embedder.spec
        if standing is not None and standing.sha256 != wanted.sha256:
            say(f"{wanted.label} takes the place of {standing.label}; names and corrections stay")
        with progress("finding faces") as bar:
            done = self.library.refresh(
                self.photos, self.detector, self.embedder, rule=self.rule, look=look, old_model=old_model,
                drop_old=drop_old, workers=self.workers, write_page=write_page,
                progress=lambda stage, n, total: bar(n, total or None, DOING[stage]),
            )  # fmt: skip
        _tell(done, verified=look.verify)
        return done

    def follow(self, reported: Iterable[Unreadable]) -> None:
        """Until Ctrl-C; of the photos that cannot be read, or only in part, these are reported already."""
        say(f"following {self.photos}; Ctrl-C ends")
        known = set(reported)
        try:
            for done in self.library.watch(
                self.photos, self.detector, self.embedder, stop=Event(), rule=self.rule,
                look=Look(every_s=self.every_s), workers=self.workers,
                write_page=write_page, on_trouble=warn,
            ):  # fmt: skip
                amiss = {*done.scan.unreadable, *done.scan.partial}
                _warn_of(sorted(amiss - known, key=lambda file: file.photo))
                known = amiss
                if done.scan.has_changes:
                    say(f"{datetime.now():%H:%M:%S} {_changes(done.scan)}: {_counts(done.people)}")
        except KeyboardInterrupt:
            say("stopped following; the library is up to date with what was read")


def is_nothing(photos: Path, library: Path) -> bool:
    """Neither photos nor a library that may know of some; pictures that are not read are reported."""
    if (library / CATALOGUE).exists():
        return False
    found = list_photos(photos, videos=True)
    if not found.photos:
        _warn_of(found.unreadable)
    return not found.photos


def _tell(done: Refreshed, *, verified: bool) -> None:
    scan, moved = done.scan, done.upgrade
    _warn_of((*scan.unreadable, *scan.partial))
    if scan.n_absent:
        warn(
            f"{counted(scan.n_absent, 'photo')} of a disk or folder that is not there stay in the library; "
            "--drop-missing removes them"
        )
    if verified:
        changed = f"{len(scan.altered)} changed behind an unchanged time, read again: "
        say(
            f"compared the content of {counted(scan.n_photos, 'photo')}: "
            + (changed + ", ".join(scan.altered) if scan.altered else "as it was")
        )
    for missing in moved.not_at_hand if moved else ():
        warn(f"{missing.photo}: keeps the old model's template: {missing.reason}")
    if moved and moved.before != moved.after:
        say(moved.line())


def _warn_of(photos: Iterable[Unreadable]) -> None:
    for unreadable in photos:
        warn(f"{unreadable.photo}: {unreadable.reason}")


def _changes(result: ScanResult) -> str:
    return f"{result.n_new} read, {result.n_moved} moved, {result.n_removed} gone"


def _counts(found: People) -> str:
    return f"{counted(len(found.seen_again), 'person', 'people')} in {items(found.n_photos, found.n_videos)}"


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
    impostors: Impostors = IMPOSTORS_IN_REACH,
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
            min=0.0,
            metavar="SECONDS",
            help="Seconds between the frames of a video that are examined; 0: every frame.",
        ),
    ] = EVERY_S,
    watch: Annotated[
        bool,
        typer.Option("--watch", help="Follow the folder until Ctrl-C, which ends with exit code 0."),
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Read all photos to find changes, even if size and time are the same."),
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
        typer.Option("--drop-old", hidden=True, help="Use `facespace library drop-old` after the move."),
    ] = False,
    _keep_old: Annotated[
        bool, typer.Option("--keep-old", hidden=True, help="Old templates are kept anyway.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Group the photos of a folder by person.

    Finds the faces, groups them, and writes a web page. The photos are never changed. A second run reads only
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
        run = PeopleRun(opened, photos, finder, embedder, Rule(impostors, far), workers, video_every)
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
        f"{_counts(found)} ({n_new} new); {counted(len(found.seen_once), 'face')} seen once; {_not_readable(found)}",
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
