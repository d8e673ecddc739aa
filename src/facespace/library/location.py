"""Where a folder's library is kept unless one is named: in the user's data directory, one per photo folder."""

import hashlib
import re
from pathlib import Path

from platformdirs import user_data_path

__all__ = ["default_library_dir"]


def default_library_dir(photos: Path) -> Path:
    """`<data directory>/facespace/libraries/<folder's name>-<hash of its real path>`."""
    real = str(photos.resolve())
    name = re.sub(r"[^A-Za-z0-9]+", "-", photos.resolve().name).strip("-")[:40] or "photos"
    digest = hashlib.sha256(real.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return user_data_path("facespace", appauthor=False) / "libraries" / f"{name}-{digest}"
