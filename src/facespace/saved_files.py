"""Files written in one step, so that a stop or a full disk leaves the old one or none, never half of the new one."""

import os
from pathlib import Path

__all__ = ["write_beside"]


def write_beside(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file in one step: beside its place, then renamed; its folder is made if absent.

    Args:
        path: of the file.
        content: all of it.
        private: for the owner alone (0600, a new folder 0700), whatever the umask says.
    """
    path.parent.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    if private:
        partial.touch(mode=0o600)
    partial.write_bytes(content)
    partial.replace(path)
