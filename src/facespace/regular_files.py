"""Files of a photo folder, opened so that nothing but a regular file of that folder is ever read.

Between a scan and a later look a photo may have become a pipe that never ends, a device, or a link to any file of the
machine. Errors are `OSError` with a reason for people in ``strerror``, like those of the system itself.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

# None of these flags exists everywhere.
FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_BINARY", "O_CLOEXEC", "O_NOCTTY", "O_NONBLOCK")
)
NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def open_regular(path: Path, *, within: Path | None = None) -> BinaryIO:
    """Open a regular file to read; a pipe or a device is neither waited for nor touched.

    Args:
        path: of the file; links are followed before the checks, and not afterwards.
        within: the folder that the file must lie in, links resolved; anywhere when None.

    Raises:
        OSError: nothing is there, it is no regular file, or it lies outside ``within``.
    """
    target = path if within is None else _resolved(path, within)
    _check_regular(target.stat(follow_symlinks=within is None), path)
    opened = os.open(target, FLAGS if within is None else FLAGS | NO_LINK)
    try:
        status = os.fstat(opened)
        _check_regular(status, path)
        # A folder above may have been exchanged for a link since the path was resolved.
        if within is not None and (
            not os.path.samestat(status, target.lstat()) or Path(os.path.realpath(path)) != target
        ):
            raise OSError(errno.ESTALE, "the file changed while it was opened", str(path))
        return os.fdopen(opened, "rb")
    except BaseException:
        os.close(opened)
        raise


def unread(error: OSError) -> str:
    """Why a file could not be read, for people, in one line."""
    return f"cannot be read: {(error.strerror or str(error)).lower()}"


def _resolved(path: Path, within: Path) -> Path:
    target = Path(os.path.realpath(path, strict=True))
    if not target.is_relative_to(os.path.realpath(within)):
        raise OSError(errno.EXDEV, "a link that leads out of its folder", str(path))
    return target


def read_regular(path: Path, *, max_bytes: int, within: Path | None = None) -> bytes:
    """The content of a regular file; see `open_regular`.

    Raises:
        OSError: besides, the file is larger than ``max_bytes``.
    """
    with open_regular(path, within=within) as file:
        # Not the limit at once, for which memory would be set aside; what has grown in the meantime comes behind.
        size = os.fstat(file.fileno()).st_size
        content = file.read(min(size, max_bytes) + 1)
        if size < len(content) <= max_bytes:
            content += file.read(max_bytes + 1 - len(content))
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"larger than the limit of {max_bytes / 2**20:.3g} MB", str(path))
    return content


def _check_regular(status: os.stat_result, path: Path) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    kinds = {
        stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFLNK: "a link",
    }  # fmt: skip
    kind = kinds.get(stat.S_IFMT(status.st_mode), "something else")
    raise OSError(errno.EINVAL, f"expected a regular file, met {kind}", str(path))
