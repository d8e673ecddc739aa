"""The photos below a folder, in a fixed order, with what could not be looked at."""

import dataclasses
import os
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from facespace.errors import DataError
from facespace.images.addresses import Address
from facespace.images.opening import RAW_SUFFIXES, can_read_raw
from facespace.images.video import VIDEO_SUFFIXES, can_read_video, is_video
from facespace.regular_files import unread

# Device, inode, size in bytes and time of the last change in ns.
Stamp = tuple[int, int, int, int]
MAX_INT = 2**63 - 1

SUFFIXES = frozenset((
    ".jpg", ".jpeg", ".jpe", ".jfif", ".jps", ".mpo", ".jp2", ".j2k", ".jpf", ".jpx", ".png", ".apng", ".webp", ".tif",
    ".tiff", ".heic", ".heif", ".hif", ".avif", ".bmp", ".dib", ".gif",
))  # fmt: skip
# Pictures that are not read.
OTHER_SUFFIXES = frozenset((
    ".ai", ".bpg", ".dds", ".djvu", ".emf", ".eps", ".exr", ".flif", ".hdp", ".hdr", ".heics", ".icns", ".ico", ".jxl",
    ".jxr", ".pbm", ".pcx", ".pgm", ".pict", ".ppm", ".psb", ".psd", ".qoi", ".sgi", ".svg", ".tga", ".wdp", ".wmf",
    ".xcf",
))  # fmt: skip
# Such as `.jpg_large` and `.jpeg~`.
LIKE_PICTURES = (".jpg", ".jpeg", ".png", ".heic")
# A folder with this file holds a library of ours, with pictures of faces below these folders.
LIBRARY_FILE = "library.sqlite"
LIBRARY_FOLDERS = frozenset({"thumbnails", "previews"})
# Folders in which photo programs and file servers keep thumbnails and deleted files.
JUNK = frozenset({"@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found", "__MACOSX", "node_modules"})


@dataclass(frozen=True)
class Unreadable:
    """A photo or folder that could not be read, and why.

    Attributes:
        photo: its path; `*.psd` where all files of that extension are meant.
        reason: for people, in one line.
        n_files: that are meant.
    """

    photo: Path
    reason: str
    n_files: int = 1


@dataclass(frozen=True)
class Listing:
    """What lies below a folder.

    Attributes:
        photos: files with a picture's extension, and videos if they were asked for and can be read, sorted by path.
        unreadable: folders that could not be opened, links that lead nowhere or in a circle, kinds of pictures that
            are not read.
    """

    photos: tuple[Path, ...]
    unreadable: tuple[Unreadable, ...]


@dataclass(frozen=True)
class StampedFiles:
    """What lies below a folder, each file with what tells whether it is the same as before.

    Attributes:
        stamps: of each file with a picture's extension, and of videos if they were asked for, whether they can be read
            or not; by its path relative to the folder, `/` between names.
        unreadable: folders that could not be opened, links that lead nowhere or in a circle, kinds of pictures that
            are not read; paths likewise.
        stills: of each video beside which a picture of the same name stands, the path of that picture.
    """

    stamps: dict[str, Stamp]
    unreadable: tuple[Unreadable, ...]
    stills: dict[str, str] = field(default_factory=dict)


def list_photos(folder: Path | str, *, videos: bool = False) -> Listing:
    """All photos below ``folder``, links followed once; hidden files and folders are passed over.

    Args:
        folder: looked through with all folders below it.
        videos: list videos too.

    Raises:
        DataError: no such folder.
    """
    if isinstance(folder, Address):
        return _list_store(folder)
    root, found = Path(folder), stamp_photos(folder, videos=videos)
    unread = unread_videos(found.stamps)
    paths = (path for path in found.stamps if not (unread and is_video(path)))
    return Listing(
        tuple(sorted(root / path for path in paths)),
        tuple(dataclasses.replace(u, photo=root / u.photo) for u in (*found.unreadable, *unread)),
    )


def _list_store(folder: Address) -> Listing:
    """What lies below an address; there are no links and no folders of their own rights."""
    reads_raw, others, photos = can_read_raw(), Counter[str](), []
    for path in folder.files():
        suffix = path.suffix.lower()
        if JUNK & set(path.parts):
            continue
        if suffix in SUFFIXES or (suffix in RAW_SUFFIXES and reads_raw):
            photos.append(path)
        elif suffix in RAW_SUFFIXES or suffix in OTHER_SUFFIXES or suffix.startswith(LIKE_PICTURES):
            others[suffix] += 1
    return Listing(tuple(photos), _passed_over(others))


def unread_videos(paths: Iterable[str]) -> tuple[Unreadable, ...]:
    """Which kinds of videos among these files are not read since the optional part is missing, and how many."""
    if can_read_video():
        return ()
    counts = Counter(os.path.splitext(path)[1].lower() for path in paths if is_video(path))  # noqa: PTH122
    return _passed_over(counts)


def stamp_photos(folder: Path | str, *, videos: bool = False) -> StampedFiles:
    """All photos below ``folder`` as `list_photos` finds them, in no order, with one look at each file.

    Paths are text and each file is asked for once, since in a folder where nothing has changed this is all the work.

    Raises:
        DataError: no such folder.
    """
    root = Path(folder)
    if not root.is_dir():
        met = "a file" if root.exists() else "nothing there"
        raise DataError(f"{root}: expected a folder of photos, met {met}")
    found = _Found(videos)
    seen: set[tuple[int, int]] = set()
    pending = [""]
    while pending:
        here = pending.pop()
        try:
            status = (root / here).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(root / here) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
            if any(entry.name == LIBRARY_FILE for entry in inside):
                inside = found.outside_library(inside, here)
        except OSError as error:
            if not here or not isinstance(error, FileNotFoundError):  # else it was removed in the meantime
                found.unreadable.append(Unreadable(Path(here), unread(error)))
            continue
        pending += reversed(found.sort_in(inside, here))
    return StampedFiles(found.stamps, (*found.unreadable, *_passed_over(found.others)), found.stills)


class _Found:
    """What was found so far."""

    def __init__(self, videos: bool) -> None:
        self.videos = videos
        self.stills: dict[str, str] = {}
        self.stamps: dict[str, Stamp] = {}
        self.unreadable: list[Unreadable] = []
        self.others: Counter[str] = Counter()  # by extension
        self.reads_raw = can_read_raw()

    def sort_in(self, entries: list["os.DirEntry[str]"], here: str) -> list[str]:
        """Put each entry of a folder where it belongs; returns the folders to look into."""
        folders, raw = [], []
        stems: dict[str, str] = {}
        videos = {}
        for entry in entries:
            name = entry.name
            if name.startswith(".") or name in JUNK:
                continue
            path = f"{here}/{name}" if here else name
            stem, suffix = os.path.splitext(path)  # noqa: PTH122 - a Path a file is slow
            suffix = suffix.lower()
            try:
                if entry.is_dir():
                    folders.append(path)
                elif suffix in SUFFIXES:
                    stems[stem] = path
                    self._stamp(entry, path)
                elif self.videos and suffix in VIDEO_SUFFIXES:
                    videos[path] = stem
                    self._stamp(entry, path)
                elif suffix in RAW_SUFFIXES:
                    raw.append((entry, path, stem, suffix))
                elif suffix in OTHER_SUFFIXES or suffix.startswith(LIKE_PICTURES):
                    self.others[suffix] += 1
            except OSError as error:
                self._note(entry, path, error)
        for entry, path, stem, suffix in raw:
            if stem in stems:  # the same picture, which is read better there
                continue
            if self.reads_raw:
                self._stamp(entry, path)
            else:
                self.others[suffix] += 1
        self.stills |= {path: stems[stem] for path, stem in videos.items() if stem in stems}
        return folders

    def outside_library(self, entries: list["os.DirEntry[str]"], here: str) -> list["os.DirEntry[str]"]:
        """What is looked at in a folder that holds a library: nothing below the top, where photos may lie beside it."""
        beside = [entry for entry in entries if entry.name not in LIBRARY_FOLDERS]
        if not here:
            return beside
        if any(entry.is_dir() or os.path.splitext(entry.name)[1].lower() in SUFFIXES for entry in beside):  # noqa: PTH122
            self.unreadable.append(
                Unreadable(Path(here), "holds a library; the photos beside it are not read")
            )
        return []

    def _stamp(self, entry: "os.DirEntry[str]", path: str) -> None:
        try:
            status = entry.stat()
        except OSError as error:
            self._note(entry, path, error)
            return
        if not stat.S_ISREG(status.st_mode):
            self.unreadable.append(Unreadable(Path(path), "cannot be read: not a regular file"))
            return
        # 63 bits: what signed whole numbers of databases hold.
        device, inode = status.st_dev & MAX_INT, status.st_ino & MAX_INT
        self.stamps[path] = device, inode, status.st_size, status.st_mtime_ns

    def _note(self, entry: "os.DirEntry[str]", path: str, error: OSError) -> None:
        # A file that was removed while its folder was read is no trouble; a link to nowhere is.
        if entry.is_symlink() or not isinstance(error, FileNotFoundError):
            self.unreadable.append(Unreadable(Path(path), unread(error)))


def _passed_over(counts: Counter[str]) -> tuple[Unreadable, ...]:
    """Kinds of files that are not read, by extension, with how many of them there are."""
    return tuple(Unreadable(Path("*" + kind), _not_read(kind, n), n) for kind, n in sorted(counts.items()))


def _not_read(suffix: str, n: int) -> str:
    if suffix in VIDEO_SUFFIXES:
        return f"{n} {'video was' if n == 1 else 'videos were'} not read; to read them: pip install 'facespace[video]'"
    if suffix in RAW_SUFFIXES:
        files = "camera RAW file was" if n == 1 else "camera RAW files were"
        return f"{n} {files} not read; to read them: pip install 'facespace[raw]'"
    return f"{n} {'picture' if n == 1 else 'pictures'} of a kind that is not read"
