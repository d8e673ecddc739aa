"""Files written in one step, so that a stop or a full disk leaves the old one or none, never half of the new one."""

import os
from pathlib import Path

__all__ = ["write_beside"]


def write_beside(path: Path, content: bytes) -> None:
    """Write a file in one step: beside its place, then renamed; its folder is made if absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(content)
    partial.replace(path)
