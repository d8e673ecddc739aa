"""Files opened safely, and written in one step: a stop or a full disk leaves the old one or none, never half."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["make_folder", "open_regular", "read_regular", "reason_of", "write_beside", "written_beside"]

# O_NONBLOCK: to open a FIFO must not wait for a writer.
FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")
)
LONGEST_NAME_BYTES = 255


def open_regular(path: Path, *, limit_bytes: int | None = None, within: Path | None = None) -> BinaryIO:
    """Open a regular file for reading: no link, FIFO, device or folder, and nothing larger than a limit.

    Args:
        path: of the file.
        limit_bytes: the largest size; None for any.
        within: follow links to files below this folder; None follows none.

    Raises:
        OSError: it cannot be opened, or is none of these; `reason_of` says why.
    """
    if within is not None:
        path = path.resolve()
        if not path.is_relative_to(within.resolve()):
            raise OSError(errno.ELOOP, f"a link that leads out of {within}")
    elif path.is_symlink():
        raise OSError(errno.ELOOP, "a link, which is not followed")
    descriptor = os.open(path, FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if limit_bytes is not None and status.st_size > limit_bytes:
            raise _too_large(limit_bytes)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, *, limit_bytes: int, within: Path | None = None) -> bytes:
    """The content of a regular file, which may be growing; see `open_regular`."""
    with open_regular(path, limit_bytes=limit_bytes, within=within) as file:
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise _too_large(limit_bytes)
    return content


def _too_large(limit_bytes: int) -> OSError:
    return OSError(errno.EFBIG, f"larger than the limit of {limit_bytes / 1e6:g} MB")


def reason_of(error: OSError) -> str:
    """Why a file cannot be read or written, for the end of a line."""
    return (error.strerror or str(error)).lower()


def write_beside(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file in one step; see `written_beside`.

    Args:
        path: of the file.
        content: all of it.
        private: for the owner alone (0600, new folders 0700), whatever the umask says.
    """
    with written_beside(path, private=private) as partial:
        partial.write_bytes(content)


@contextmanager
def written_beside(path: Path, *, private: bool = False) -> Iterator[Path]:
    """A new empty file ``*.partial`` beside ``path``, which takes its place at the end; gone where anything fails."""
    make_folder(path.parent, private=private)
    partial = _partial_of(path)
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666))
    try:
        yield partial
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def make_folder(folder: Path, *, private: bool = False) -> None:
    """Make a folder and those above it where they are absent; private ones are for the owner alone (0700)."""
    if not folder.is_dir():
        if folder.parent != folder:
            make_folder(folder.parent, private=private)
        folder.mkdir(mode=0o700 if private else 0o777, exist_ok=True)


def _partial_of(path: Path) -> Path:
    """Its name, with a mark of this process behind it, or a short name where that would be too long."""
    end = f".{os.getpid()}.partial"
    if len(os.fsencode(path.name + end)) <= LONGEST_NAME_BYTES:
        return path.with_name(path.name + end)
    return path.with_name(hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16] + end)
