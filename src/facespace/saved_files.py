"""Files written in one step: a stop or a full disk leaves the old one or none, never half.

What is being written stands beside its place under a name of its own, `.facespace-<machine>-<process>-<n>.partial`. A
killed process leaves such files behind; the next one that writes into the folder removes them.
"""

import os
import platform
import re
import shutil
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from facespace.errors import WriteError

MACHINE = f"{zlib.crc32(platform.node().encode()):08x}"
PARTIAL = re.compile(r"\.facespace-([0-9a-f]{8})-(\d+)-\d+\.partial")
# Of another machine's process nobody here knows whether it lives; after this long it does not write one file any more.
LEFT_AFTER_S = 86_400.0

_numbers = count()
_open: set[Path] = set()
_cleaned: set[Path] = set()


def reason_of(error: OSError) -> str:
    """Why a file cannot be read or written, for the end of a line."""
    reason = error.strerror or str(error)
    return reason[:1].lower() + reason[1:]


@contextmanager
def written_beside(path: Path, *, private: bool = False, folder: bool = False) -> Iterator[Path]:
    """A place to write to, which takes that of ``path`` when the block ends, and goes if it fails.

    Args:
        path: of the file; its folder is made if absent.
        private: for the owner alone (0600, folders 0700), whatever the umask says: for all that holds faces or names.
        folder: a folder is written, and none may stand at ``path``.

    Yields:
        the path of a new empty file, or folder.

    Raises:
        WriteError: the disk is full, or does not let us write there.
    """
    partial = path.with_name(f".facespace-{MACHINE}-{os.getpid()}-{next(_numbers)}.partial")
    _open.add(partial)
    try:
        make_folder(path.parent, private=private)
        _clean_once(path.parent)
        if folder:
            make_folder(partial, private=private)
        else:
            partial.touch(mode=0o600 if private else 0o666, exist_ok=False)
        yield partial
        partial.replace(path)
    except OSError as error:
        if isinstance(error, WriteError) or error.filename not in (None, *map(str, (partial, path.parent))):
            raise  # something else could not be read or written
        raise WriteError(path, error) from error
    finally:
        _remove(partial)
        _open.discard(partial)


def write_beside(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file in one step; see `written_beside`."""
    with written_beside(path, private=private) as partial:
        partial.write_bytes(content)


def make_folder(folder: Path, *, private: bool = False) -> None:
    """Make a folder, and those above it, where they are absent; for the owner alone if ``private``."""
    if not folder.is_dir():
        if folder.parent != folder:
            make_folder(folder.parent, private=private)
        folder.mkdir(mode=0o700 if private else 0o777, exist_ok=True)


def try_lock(opened: int) -> bool:
    """Lock an open file, on POSIX also a folder, until it is closed; False where another one holds it.

    The lock goes with the process. Where a file system knows no locks nobody is kept out.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(opened, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # not on this file system
        pass
    return True


def clean_leftovers(folder: Path) -> None:
    """Remove what processes that are gone have left half written in a folder."""
    if not folder.is_dir():
        return
    for path in folder.glob(".facespace-*.partial"):
        if _is_left(path):
            _remove(path)


def _clean_once(folder: Path) -> None:
    if folder not in _cleaned:
        _cleaned.add(folder)
        clean_leftovers(folder)


def _is_left(path: Path) -> bool:
    match = PARTIAL.fullmatch(path.name)
    if match is None or path in _open:
        return False
    if match[1] == MACHINE and os.name == "posix" and not _is_alive(int(match[2])):
        return True
    try:
        return time.time() - path.stat().st_mtime > LEFT_AFTER_S
    except OSError:
        return False


def _is_alive(process: int) -> bool:
    if process == os.getpid():
        return False  # what this process writes is known: it is an earlier one of the same number
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _remove(path: Path) -> None:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError:
        pass  # a read-only disk keeps it
