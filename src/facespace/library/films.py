"""Films of stills: files that play the moment of a live photo, which is one item with its still."""

import mmap
from dataclasses import dataclass, replace
from pathlib import Path

from facespace.errors import ImageError
from facespace.images import StampedFiles, Video, can_read_video
from facespace.library.catalogue import Catalogue, stamp_of
from facespace.regular_files import open_regular
from facespace.store import path_in, path_out

__all__ = ["Motion", "is_film_of", "motion_of", "without_films"]

# Live photos last three seconds, those of other phones up to five.
LONGEST_FILM_S = 6.5
FILM_SUFFIXES = (".mov", ".mp4")
APPLE = b"Apple iOS\0"
HEAD_BYTES = 2**20


@dataclass(frozen=True)
class Motion:
    """The film of a photo's moment.

    Attributes:
        path: of the file that holds it, relative to the photo folder: the photo itself, or one beside it.
        offset: where in the file it begins, in bytes.
        length: in bytes, to the end of the file at the last scan.
    """

    path: str
    offset: int
    length: int


def motion_of(catalogue: Catalogue, photo_id: int) -> Motion | None:
    """See `facespace.library.Library.motion`."""
    row = catalogue.row(
        "SELECT path, motion_offset, size_bytes FROM photos WHERE photo_id = ? AND path NOTNULL", (photo_id,)
    )
    if row is None:
        return None
    if row["motion_offset"] is not None:
        return Motion(path_out(row["path"]), row["motion_offset"], row["size_bytes"] - row["motion_offset"])
    film = catalogue.row("SELECT path, size_bytes FROM films WHERE still = ?", (row["path"],))
    return None if film is None else Motion(path_out(film["path"]), 0, film["size_bytes"])


def without_films(catalogue: Catalogue, root: Path, files: StampedFiles) -> StampedFiles:
    """The files that are items of their own; the others are remembered as the films of their stills.

    A video is looked at where it or the picture of its name is new or has changed.
    """
    known = {path_out(row["path"]): row for row in catalogue.stream("SELECT * FROM films")}
    stamps = catalogue.stamps()
    films = {}
    for path, still in files.stills.items():
        both = path, still
        seen = all(stamps.get(one) == files.stamps[one] for one in both)
        before = known.get(path)
        if seen or not can_read_video():
            is_film = before is not None and path_out(before["still"]) == still
        else:
            is_film = is_film_of(root / path, root / still)
        if is_film:
            films[path] = still
    _remember(catalogue, files, films)
    rest = {path: stamp for path, stamp in files.stamps.items() if path not in films}
    return replace(files, stamps=rest, stills={})


def _remember(catalogue: Catalogue, files: StampedFiles, films: dict[str, str]) -> None:
    rows = {(path, still, *files.stamps[path]) for path, still in films.items()}
    before = {
        (path_out(row["path"]), path_out(row["still"]), *stamp_of(row))
        for row in catalogue.stream("SELECT * FROM films")
    }
    if rows == before:
        return
    with catalogue.transaction():
        catalogue.execute_all(
            "DELETE FROM films WHERE path = ?", [(path_in(row[0]),) for row in before - rows]
        )
        catalogue.execute_all(
            "INSERT INTO films (path, still, device, inode, size_bytes, mtime_ns) VALUES (?, ?, ?, ?, ?, ?)",
            [(path_in(path), path_in(still), *stamp) for path, still, *stamp in rows - before],
        )


def is_film_of(video: Path, still: Path) -> bool:
    """Whether a video is the film of a still of the same name, as phones put them beside each other.

    Apple's identifier decides where both have one; else a film is short. A longer video that has a picture of its name
    is a video.
    """
    if video.suffix.lower() not in FILM_SUFFIXES:
        return False
    try:
        with Video(video, threads=1) as opened:
            identifier, length_s = opened.content_id, opened.duration_s
        with (
            open_regular(still) as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            head = content[:HEAD_BYTES]
    except (ImageError, OSError, ValueError):
        return False
    if identifier:
        if identifier.encode() in head:
            return True
        if APPLE in head:
            return False
    return length_s is not None and length_s <= LONGEST_FILM_S
