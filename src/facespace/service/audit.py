"""Who enrolled, removed and exported what: lines of JSON in a file that is only ever added to."""

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from facespace.store import name_key

AUDIT = "audit.jsonl"


def write_line(
    folder: Path, action: str, *, by: str | None, gallery: str | None, subject: str | None = None, **more: Any
) -> None:
    """Add a line to the log in the folder of a service; whole, whoever else writes.

    A subject is named by a digest of the name: whoever knows a name can look up what was done with it, and the log
    itself does not list who was enrolled, also after they were removed.

    Raises:
        OSError: it cannot be written.
    """
    entry = {
        "moment": datetime.now(UTC).isoformat(timespec="milliseconds"), "action": action, "by": by,
        "gallery": gallery, **({} if subject is None else {"subject": digest_of(subject)}), **more,
    }  # fmt: skip
    log = os.open(folder / AUDIT, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(log, (json.dumps(entry, ensure_ascii=True) + "\n").encode())
    finally:
        os.close(log)


def digest_of(subject: str) -> str:
    """What stands for a subject in the log; the same however the name is written."""
    return hashlib.sha256(name_key(subject).encode()).hexdigest()[:16]
