"""What has changed in a folder since its library saw it, and which videos are films of stills, one item with these."""

import mmap
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from facespace.errors import DataError, ImageError
from facespace.extract import content_hash, in_order
from facespace.images import EVERY_S, Stamp, StampedFiles, Video, can_read_video
from facespace.library.catalogue import Catalogue, StoredPhoto, stamp_of
from facespace.library.progress import OnProgress
from facespace.regular_files import open_regular
from facespace.store import path_in, path_out


@dataclass(frozen=True)
class Look:
    """How closely a folder is compared with its library, and a video is looked at.

    Attributes:
        verify: photos whose stamp has not changed are hashed too, and unreadable ones are tried again.
        detector: sha256 of a detector; photos that another one has read are read again. None leaves them.
        drop_missing: let go of missing photos also where nothing tells that their disk is there.
        every_s: seconds between the frames of a video that are looked at, 0 for every frame; of videos that are read
            from now on.
    """

    verify: bool = False
    detector: str | None = None
    drop_missing: bool = False
    every_s: float = EVERY_S

    def is_content_with(self, photo: StoredPhoto) -> bool:
        """Whether a photo whose content has not changed may stay as it was read."""
        if photo.unreadable is not None:
            return not self.verify
        return self.detector in (None, photo.detector)


QUICK = Look()


@dataclass(frozen=True)
class Move:
    """A known photo whose content stands elsewhere now, or at its place with another stamp."""

    photo: StoredPhoto
    path: str
    stamp: Stamp


@dataclass(frozen=True)
class Differences:
    """What a scan has to do.

    Attributes:
        todo: photos to read, new or changed, by path.
        moves: of known content.
        gone: known photos that are in the folder no more.
        altered: those of ``todo`` whose content has changed behind an unchanged stamp.
        n_absent: missing photos that stay known, since their disk is not there or their folder cannot be opened.
    """

    todo: dict[str, Stamp]
    moves: tuple[Move, ...] = ()
    gone: tuple[StoredPhoto, ...] = ()
    altered: tuple[str, ...] = ()
    n_absent: int = 0


def compare(
    catalogue: Catalogue,
    root: Path,
    found: StampedFiles,
    look: Look = QUICK,
    *,
    workers: int | None = None,
    progress: OnProgress | None = None,
) -> Differences:
    """Compare a folder with what a library knows of it.

    The stamp of a file decides. Where it is another one, the content does, if a photo of that size is missed. A photo
    is gone if it is missing while others of its disk are there.

    Args:
        catalogue: as it is.
        root: the folder of the photos.
        found: what lies there now.
        look: how closely.
        workers: threads that hash; all cores when absent.
        progress: called with ("comparing", files hashed, files to hash).

    Raises:
        DataError: the folder shows none of the photos that the library knows: most likely it is another folder,
            or its disk is not mounted.
    """
    known = {photo.path: photo for photo in catalogue.photos()}
    stamps = found.stamps
    same = {path for path, stamp in stamps.items() if path in known and known[path].stamp == stamp}
    content = [known[path] for path in same if look.is_content_with(known[path])]
    todo = {path: stamp for path, stamp in stamps.items() if path not in same}
    missing = {path: photo for path, photo in known.items() if path not in stamps}
    missed = [*(known[path] for path in todo if path in known), *missing.values()]
    sizes = {photo.stamp[2] for photo in missed if photo.sha256}
    to_hash = [
        path for path, stamp in todo.items() if stamp[2] in sizes
    ]  # the content may be one that is missed
    to_hash += sorted(photo.path for photo in content) if look.verify else []
    digests = _hash(root, to_hash, workers, progress)
    moves = _find_moves(todo, missed, digests, look)
    is_same_folder = catalogue.photo_folder in (None, root.resolve())
    if known and not (same or moves or look.drop_missing or (is_same_folder and len(missing) < len(known))):
        raise DataError(_nothing_known(catalogue, root, len(known), len(stamps)))
    gone = _gone(known, missing, moves)
    absent = set() if look.drop_missing else _absent(known, stamps, moves, gone, found)
    altered = sorted(p.path for p in content if look.verify and p.sha256 and digests[p.path] != p.sha256)
    again = (same - {photo.path for photo in content}).union(altered)
    return Differences(
        {path: stamps[path] for path in sorted(again.union(todo) - {move.path for move in moves})},
        moves, tuple(photo for photo in gone if photo.path not in absent), tuple(altered), len(absent),
    )  # fmt: skip


def _absent(
    known: dict[str, StoredPhoto],
    stamps: dict[str, Stamp],
    moves: tuple[Move, ...],
    gone: tuple[StoredPhoto, ...],
    found: StampedFiles,
) -> set[str]:
    """Those of the missing photos whose disk shows no other photo, or whose folder cannot be opened."""
    disks = {known[path].stamp[0] for path in stamps if path in known} | {m.photo.stamp[0] for m in moves}
    shut = [u.photo.as_posix() for u in found.unreadable]
    return {
        photo.path
        for photo in gone
        if photo.path not in stamps
        and (photo.stamp[0] not in disks or any(s == "." or photo.path.startswith(f"{s}/") for s in shut))
    }


def _hash(root: Path, paths: list[str], workers: int | None, progress: OnProgress | None) -> dict[str, str]:
    """sha256 of each file; empty where it cannot be read."""
    digests = {}
    files = [root / path for path in paths]
    for path, digest in zip(
        paths, in_order(content_hash, files, workers=workers) if files else (), strict=True
    ):
        digests[path] = digest
        if progress:
            progress("comparing", len(digests), len(paths))
    return digests


def _find_moves(
    todo: dict[str, Stamp], missed: Iterable[StoredPhoto], digests: dict[str, str], look: Look
) -> tuple[Move, ...]:
    by_content: dict[str, dict[str, StoredPhoto]] = {}
    for photo in missed:
        if photo.sha256 and look.is_content_with(photo):
            by_content.setdefault(photo.sha256, {})[photo.path] = photo
    moves = []
    # Those that were only touched come first, so that no copy takes their place.
    for path in sorted(
        todo.keys() & digests.keys(), key=lambda p: (p not in by_content.get(digests[p], {}), p)
    ):
        photos = by_content.get(digests[path])
        if photos:
            moves.append(Move(photos.pop(path if path in photos else min(photos)), path, todo[path]))
    return tuple(moves)


def _gone(
    known: dict[str, StoredPhoto], missing: dict[str, StoredPhoto], moves: tuple[Move, ...]
) -> tuple[StoredPhoto, ...]:
    """Those that are nowhere, and those whose place one that moved has taken."""
    moved = {move.photo.path for move in moves}
    taken = {move.path: known[move.path] for move in moves if move.path in known}
    return tuple(photo for path, photo in (missing | taken).items() if path not in moved)


def _nothing_known(catalogue: Catalogue, root: Path, n_known: int, n_found: int) -> str:
    met = f"{n_found} others" if n_found else "an empty folder"
    return (
        f"{root}: expected the photos of this library ({n_known} known, last seen in {catalogue.photo_folder}), "
        f"met {met}; mount the disk or name their folder, give other photos a library of their own (--library), "
        "or remove what is known from the library (--drop-missing)"
    )


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


def without_films(catalogue: Catalogue, root: Path, files: StampedFiles) -> StampedFiles:
    """The files that are items of their own; the others are remembered as the films of their stills.

    A video is looked at where it or the picture of its name is new or has changed.
    """
    known = {
        path_out(row["path"]): (path_out(row["still"]), stamp_of(row))
        for row in catalogue.stream("SELECT * FROM films")
    }
    stamps = catalogue.stamps()
    films = {}
    for path, still in files.stills.items():
        if not can_read_video() or all(stamps.get(one) == files.stamps[one] for one in (path, still)):
            is_film = path in known and known[path][0] == still
        else:
            is_film = is_film_of(root / path, root / still)
        if is_film:
            films[path] = still, files.stamps[path]
    if films != known:
        gone, new = known.items() - films.items(), films.items() - known.items()
        with catalogue.transaction():
            catalogue.execute_all("DELETE FROM films WHERE path = ?", [(path_in(path),) for path, _ in gone])
            catalogue.execute_all(
                "INSERT INTO films (path, still, device, inode, size_bytes, mtime_ns) VALUES (?, ?, ?, ?, ?, ?)",
                [(path_in(path), path_in(still), *stamp) for path, (still, stamp) in new],
            )
    rest = {path: stamp for path, stamp in files.stamps.items() if path not in films}
    return replace(files, stamps=rest, stills={})


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
