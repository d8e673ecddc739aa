"""Long work that is accepted first and done afterwards: one folder a job, so that it outlives the process.

A job's folder holds what it is (`job.json`) and, until it has ended, the lines that were sent. A process that works on
it locks the folder; the lock goes with the process, and another one, or the next start, resumes the job. Doing a line
twice is doing it once, since faces are enrolled under keys.
"""

import json
import re
import secrets
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from shutil import rmtree
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from facespace.errors import DataError
from facespace.saved_files import make_folder, write_beside
from facespace.service.problems import ProblemError
from facespace.table_files import lock_folder

JOB_ID = "^[0-9a-f]{24}$"
ENDED = ("done", "failed", "cancelled")
# Jobs that have ended and are still listed.
KEPT = 1000
# Refused lines that are listed; all are counted.
LISTED = 100


@dataclass(frozen=True)
class Job:
    """A job, as it is kept and as it is answered."""

    __pydantic_config__ = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)

    job_id: Annotated[str, Field(description="Hexadecimal; later jobs have later ids.")]
    gallery: str
    kind: Annotated[str, Field(description="enrol or upgrade")]
    state: Annotated[
        str, Field(description="waiting, running, done, failed or cancelled", examples=["running"])
    ]
    by: Annotated[str | None, Field(description="Id of the key that asked.")]
    made: Annotated[str, Field(description="ISO 8601, UTC; likewise `ended`.")]
    ended: str | None = None
    todo: Annotated[int, Field(description="Lines, or faces.", examples=[5000])] = 0
    done: Annotated[int, Field(examples=[1240])] = 0
    outcomes: Annotated[dict[str, int], Field(examples=[{"new": 1200, "unchanged": 38, "refused": 2}])] = (
        field(default_factory=dict)
    )
    refused: Annotated[Sequence[dict[str, Any]], Field(description="The first hundred, and why.")] = ()
    model: Annotated[str | None, Field(description="Of an upgrade, its name.")] = None
    trouble: Annotated[str | None, Field(description="Why it failed.")] = None

    def with_outcome(self, outcome: str, **why: Any) -> "Job":
        """One more done, with that outcome."""
        counted = {**self.outcomes, outcome: self.outcomes.get(outcome, 0) + 1}
        refused = (*self.refused, why) if why and len(self.refused) < LISTED else self.refused
        return replace(self, done=self.done + 1, outcomes=counted, refused=refused)


def now() -> str:
    """ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class JobFolder:
    """The jobs of a service; several processes use it at once.

    Args:
        folder: of the service.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "jobs"

    def new(self, gallery: str, kind: str, by: str | None, *, model: str | None = None) -> Job:
        """A job that is not written yet; its folder is there."""
        # The time in front puts them in order.
        job_id = f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"
        make_folder(self._folder / job_id, private=True)
        return Job(job_id, gallery, kind, "waiting", by, now(), model=model)

    def write(self, job: Job) -> None:
        """Keep a job as it is now; one that has ended lets go of its lines."""
        text = json.dumps(asdict(job), indent=1) + "\n"
        write_beside(self._folder / job.job_id / "job.json", text.encode(), private=True)
        if job.state in ENDED:
            self.lines(job.job_id).unlink(missing_ok=True)

    def read(self, job_id: str) -> Job:
        """A job.

        Raises:
            ProblemError: there is none of that id.
        """
        path = self._folder / job_id / "job.json"
        if not re.match(JOB_ID, job_id) or not path.is_file():
            raise ProblemError(404, "not-found", "there is no such job")
        return Job(**json.loads(path.read_text("utf-8")))

    def all(self) -> list[Job]:
        """All jobs, the oldest first."""
        folders = sorted(self._folder.iterdir()) if self._folder.is_dir() else []
        return [self.read(folder.name) for folder in folders if (folder / "job.json").is_file()]

    def lines(self, job_id: str) -> Path:
        """The file of what was sent."""
        return self._folder / job_id / "lines.ndjson"

    def cancel(self, job_id: str) -> None:
        """Ask whoever works on a job to stop."""
        (self._folder / job_id / "cancel").touch(mode=0o600)

    def is_cancelled(self, job_id: str) -> bool:
        """Whether that was asked."""
        return (self._folder / job_id / "cancel").exists()

    def drop(self, job_id: str) -> None:
        """Remove a job with everything of it."""
        rmtree(self._folder / job_id, ignore_errors=True)

    def take(self, job_id: str) -> ExitStack | None:
        """Keep other processes from a job until the block ends; None where another one has it."""
        try:
            return lock_folder(self._folder / job_id)
        except DataError:
            return None

    def tidy(self) -> None:
        """Remove the oldest jobs that have ended, where there are very many, and uploads that were cut off."""
        ended = [job.job_id for job in self.all() if job.state in ENDED]
        for job_id in ended[: max(0, len(ended) - KEPT)]:
            self.drop(job_id)
        for folder in self._folder.glob("*"):
            if not (folder / "job.json").is_file() and (held := self.take(folder.name)) is not None:
                with held:
                    self.drop(folder.name)
