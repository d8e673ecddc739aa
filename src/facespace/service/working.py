"""What a service does beside requests: jobs, line by line, to be resumed at any line; and the upkeep of galleries."""

import asyncio
import logging
import re
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

from facespace.errors import FacespaceError
from facespace.gallery import Gallery, Progress, Upgrade
from facespace.service.enrolling import FACE_KEY, enrol, face_number
from facespace.service.galleries import OpenGallery
from facespace.service.jobs import ENDED, Job, now
from facespace.service.probes import embed_sent
from facespace.service.problems import ProblemError, problem_of
from facespace.service.sent import json_object, of_json
from facespace.service.service import Asked, Service
from facespace.store import LONGEST_NAME

log = logging.getLogger(__name__)
# How often a process looks for jobs of others that have died, and how often progress is written.
LOOK_S, WRITE_S = 2.0, 0.5


class StoppedError(Exception):
    """The service stops: the job stays as it is, to be resumed."""


class CancelledError(Exception):
    """Somebody does not want the job any more."""


async def work_on_jobs(service: Service) -> None:
    """Work on jobs, also on those that were left, until the service stops; what is being done then is finished."""
    jobs = service.jobs
    jobs.tidy()
    while service.is_ready:
        service.wake.clear()
        for job in jobs.all():
            if job.state not in ENDED and service.is_ready:
                await _take(service, job.job_id)
        with suppress(TimeoutError):
            await asyncio.wait_for(service.wake.wait(), LOOK_S)


async def _take(service: Service, job_id: str) -> None:
    """Work on a job, unless another process does."""
    held = service.jobs.take(job_id)
    if held is not None:
        with held:
            job = service.jobs.read(job_id)  # another process may have ended it meanwhile
            if job.state not in ENDED:
                await _Work(service, replace(job, state="running")).do()


class _Work:
    """One job while it is being worked on."""

    def __init__(self, service: Service, job: Job) -> None:
        self._service, self._jobs, self.job = service, service.jobs, job
        self._written = 0.0

    async def do(self) -> None:
        """Work until it has ended, or the service stops."""
        try:
            await (self.enrol() if self.job.kind == "enrol" else self.upgrade())
            self.end("done")
        except StoppedError:
            self.save(at_once=True)
        except CancelledError:
            self.end("cancelled")
        except Exception as error:
            problem = problem_of(error)
            if problem.status >= 500:
                log.exception("job %s failed", self.job.job_id)
            self.end("failed", problem.detail)

    def save(self, *, at_once: bool = False) -> None:
        """Write how far it is, from time to time."""
        if at_once or time.monotonic() - self._written > WRITE_S:
            self._jobs.write(self.job)
            self._written = time.monotonic()

    def end(self, state: str, trouble: str | None = None) -> None:
        """It has ended."""
        self.job = replace(self.job, state=state, ended=now(), trouble=trouble)
        self.save(at_once=True)

    def check(self) -> None:
        """Go on only while that is wanted.

        Raises:
            StoppedError, CancelledError: it is not.
        """
        if not self._service.is_ready:
            raise StoppedError
        if self._jobs.is_cancelled(self.job.job_id):
            raise CancelledError

    async def enrol(self) -> None:
        """Enrol the faces of all lines that are left; a few at once, counted in order."""
        gallery = self._service.galleries.get(self.job.gallery)
        loop, window = asyncio.get_running_loop(), deque[asyncio.Task[tuple[str, dict[str, Any]]]]()
        first = self.job.done
        with self._jobs.lines(self.job.job_id).open("rb") as lines:
            await loop.run_in_executor(None, _skip, lines, first)
            try:
                while line := await loop.run_in_executor(None, lines.readline):
                    self.check()
                    number = self.job.done + len(window) + 1
                    window.append(asyncio.create_task(self._line(gallery, number, line)))
                    if len(window) > self._service.settings.n_threads:
                        await self._count(window)
            finally:
                while window:
                    await self._count(window)

    async def _count(self, window: "deque[asyncio.Task[tuple[str, dict[str, Any]]]]") -> None:
        outcome, why = await window.popleft()
        self.job = self.job.with_outcome(outcome, **why)
        self.save()

    async def _line(self, gallery: OpenGallery, number: int, line: bytes) -> tuple[str, dict[str, Any]]:
        """The outcome of a line, and why it was refused."""
        key = None
        try:
            fields = _fields(line)
            key, sent = fields.get("key"), of_json(fields)
            embedder = await gallery.embedder(fresh=sent.picture is not None)
            probe = await embed_sent(self._service, sent, embedder, "one", patient=True)
            asked = Asked(self._service, gallery, self.job.by)
            outcome, _ = await enrol(asked, probe, subject=fields["subject"], key=key)
            return outcome, {}
        except Exception as error:
            problem = problem_of(error)
            if problem.status >= 500 or problem.kind == "not-found":
                raise
            return "refused", {"line": number, "key": key, "problem": problem.detail}

    async def upgrade(self) -> None:
        """Move the gallery to another model, face by face."""
        gallery = self._service.galleries.get(self.job.gallery)
        try:
            result = await asyncio.get_running_loop().run_in_executor(None, self._upgraded, gallery)
        finally:
            gallery.renew()
        missing = [{"key": Path(one.photo).name, "problem": one.reason} for one in result.not_at_hand]
        self.job = replace(
            self.job, done=result.progress.n_done, todo=result.progress.n_faces, refused=tuple(missing[:100]),
            outcomes={"embedded": result.n_embedded, "not_available": len(missing)},
        )  # fmt: skip

    def _upgraded(self, gallery: OpenGallery) -> Upgrade:
        def follow(progress: Progress) -> None:
            self.job = replace(self.job, done=progress.n_done, todo=progress.n_faces)
            self.save()
            self.check()

        embedder = self._service.embedders.named(self.job.model)
        with gallery.opened() as opened:
            # Half of the threads, so that requests are answered meanwhile.
            workers = max(1, self._service.settings.n_threads // 2)
            return opened.upgrade(embedder, model_file=self.job.model, workers=workers, on_face=follow)


def _skip(lines: BinaryIO, n: int) -> None:
    for _ in range(n):
        lines.readline()


def _fields(line: bytes) -> dict[str, Any]:
    """A line as it was sent.

    Raises:
        ProblemError: it is no JSON object with a subject, or its key is none.
    """
    fields = json_object(line)
    key, subject = fields.get("key"), fields.get("subject")
    if key is not None and not (isinstance(key, str) and re.match(FACE_KEY, key)):
        raise ProblemError(422, "invalid", "key: is not of the expected form")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_NAME:
        raise ProblemError(422, "invalid", "subject: expected the name of the person")
    return fields


EVERY_S = 60.0
# A picture this old was not written by an enrolment that is under way.
SETTLED_S = 3600.0


async def look_after_galleries(service: Service) -> None:
    """Beside requests, in threads of its own, until it is cancelled."""
    swept: set[str] = set()
    while True:
        await look_after_once(service, swept)
        await asyncio.sleep(EVERY_S)


async def look_after_once(service: Service, swept: set[str]) -> None:
    """Refresh the indexes of all galleries, and remove forgotten pictures of those that are not ``swept`` yet."""
    await service.galleries.rest()
    for name in service.galleries.names():
        try:
            gallery = service.galleries.get(name)
            work = asyncio.get_running_loop().run_in_executor(None, _look_after, gallery, swept)
            await asyncio.shield(work)
        except (FacespaceError, OSError) as error:
            log.error("gallery %s: %s", name, error)


def _look_after(gallery: OpenGallery, swept: set[str]) -> None:
    with gallery.opened() as opened:
        opened.refresh_index()  # does nothing where it is not due
        if gallery.keeps_pictures and gallery.name not in swept:
            _remove_forgotten(gallery, opened)
            swept.add(gallery.name)


def _remove_forgotten(gallery: OpenGallery, opened: Gallery) -> None:
    """Pictures whose face is not enrolled any more: it was removed by a command, or an enrolment was cut off."""
    for picture in gallery.pictures.iterdir():
        if time.time() - picture.stat().st_mtime > SETTLED_S and not opened.find_faces(
            [face_number(picture.name)]
        ):
            picture.unlink(missing_ok=True)
