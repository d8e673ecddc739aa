"""Jobs: enrol very many faces, move a gallery to another model; accepted at once, done afterwards."""

from dataclasses import asdict, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from facespace.service.jobs import ENDED, JOB_ID, Job, JobFolder
from facespace.service.native.description import BULK
from facespace.service.native.parameters import asked_for
from facespace.service.native.schemas import JobShown, JobsShown, described
from facespace.service.native.sent import media_type
from facespace.service.problems import ProblemError
from facespace.service.service import Asked, Service
from facespace.service.working import Working

JobId = Annotated[str, Path(pattern=JOB_ID, description="Id of a job.")]
LINES = ("application/x-ndjson", "application/jsonl", "application/octet-stream")


class Target(BaseModel):
    """The model to go over to.

    Attributes:
        model: its name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str, Field(max_length=64, pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")]


def router(service: Service, working: Working) -> APIRouter:
    """`/v1/galleries/{gallery}/enrolments`, `/upgrade`, `/jobs`, `/jobs/{job_id}`."""
    routes = APIRouter(prefix="/v1/galleries/{gallery}", tags=["jobs"])
    readers = Annotated[Asked, Depends(asked_for(service, "read"))]
    writers = Annotated[Asked, Depends(asked_for(service, "write"))]
    jobs = working.jobs

    @routes.post(
        "/enrolments", **described("Enrol very many faces, a line of JSON each", JobShown, 202, **BULK)
    )
    async def enrol_many(request: Request, asked: writers) -> JSONResponse:
        if media_type(request) not in LINES:
            raise ProblemError(415, "media-type", f"expected {LINES[0]}")
        job = jobs.new(asked.gallery.name, "enrol", asked.by)
        let_go = jobs.take(job.job_id)
        try:
            n = await _spool(request, jobs, job.job_id, service.settings.limits.bulk_bytes)
            job = replace(job, todo=n)
            jobs.write(job)
        except BaseException:
            jobs.drop(job.job_id)
            raise
        finally:
            if let_go is not None:
                let_go()
        working.look()
        return _accepted(job)

    @routes.post(
        "/upgrade", **described("Move the gallery to another model that may meet its own", JobShown, 202)
    )
    async def upgrade(asked: writers, target: Target) -> JSONResponse:
        service.embedders.named(target.model)
        job = jobs.new(asked.gallery.name, "upgrade", asked.by, model=target.model)
        jobs.write(job)
        service.audit.write("upgrade", by=asked.by, gallery=asked.gallery.name, model=target.model)
        working.look()
        return _accepted(job)

    @routes.get("/jobs", **described("The jobs of a gallery, the newest first", JobsShown))
    async def list_jobs(asked: readers) -> JSONResponse:
        found = [job for job in jobs.all() if job.gallery == asked.gallery.name]
        newest = found[: -1 - service.settings.limits.page : -1]
        return JSONResponse({"jobs": [_shown(job) for job in newest]})

    @routes.get("/jobs/{job_id}", **described("How far a job is", JobShown))
    async def show_job(job_id: JobId, asked: readers) -> JSONResponse:
        return JSONResponse(_shown(_of(jobs, asked.gallery.name, job_id)))

    @routes.delete("/jobs/{job_id}", **described("Stop a job; what it has done stays", JobShown, 202))
    async def cancel_job(job_id: JobId, asked: writers) -> JSONResponse:
        job = _of(jobs, asked.gallery.name, job_id)
        if job.state not in ENDED:
            jobs.cancel(job_id)
            working.look()
        return JSONResponse(_shown(job), 202)

    return routes


def _of(jobs: JobFolder, gallery: str, job_id: str) -> Job:
    job = jobs.read(job_id)
    if job.gallery != gallery:
        raise ProblemError(404, "not-found", "there is no such job")
    return job


def _shown(job: Job) -> dict[str, Any]:
    return {**asdict(job), "outcomes": job.outcomes or {}}


def _accepted(job: Job) -> JSONResponse:
    where = f"/v1/galleries/{job.gallery}/jobs/{job.job_id}"
    return JSONResponse(_shown(job), 202, headers={"Location": where})


async def _spool(request: Request, jobs: JobFolder, job_id: str, most: int) -> int:
    """Write what is sent to the job's file, piece by piece; returns how many lines there are.

    Raises:
        ProblemError: it is too long, or cut short.
    """
    n_bytes, n_lines, last = 0, 0, b"\n"
    path = jobs.lines(job_id)
    path.touch(mode=0o600)
    try:
        with path.open("wb") as file:
            async for piece in request.stream():
                n_bytes += len(piece)
                if n_bytes > most:
                    raise ProblemError(
                        413,
                        "too-large",
                        f"expected at most {most // 2**20} MB",
                        headers={"Connection": "close"},
                    )
                n_lines += piece.count(b"\n")
                last = piece[-1:] or last
                file.write(piece)
    except ClientDisconnect as error:
        raise ProblemError(400, "invalid", "the request was cut short") from error
    return n_lines + (last != b"\n")
