"""Jobs: enrol very many faces, move a gallery to another model; accepted at once, done afterwards."""

from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from facespace.service.jobs import ENDED, JOB_ID, Job
from facespace.service.native.description import BULK
from facespace.service.native.parameters import ModelName, Reader, Writer
from facespace.service.native.schemas import JobShown, JobsShown, described
from facespace.service.problems import ProblemError
from facespace.service.sent import media_type
from facespace.service.service import Asked

JobId = Annotated[str, InPath(pattern=JOB_ID, description="Id of a job.")]
LINES = ("application/x-ndjson", "application/jsonl", "application/octet-stream")


class Target(BaseModel):
    """The model to go over to.

    Attributes:
        model: its name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: ModelName


router = APIRouter(prefix="/v1/galleries/{gallery}", tags=["jobs"])


@router.post("/enrolments", **described("Enrol very many faces, a line of JSON each", JobShown, 202, **BULK))
async def enrol_many(request: Request, asked: Writer) -> JSONResponse:
    if media_type(request) not in LINES:
        raise ProblemError(415, "media-type", f"expected {LINES[0]}")
    jobs = asked.service.jobs
    job = jobs.new(asked.gallery.name, "enrol", asked.by)
    with jobs.take(job.job_id) or nullcontext():
        try:
            n = await _spool(request, jobs.lines(job.job_id), asked.service.settings.limits.bulk_bytes)
            job = replace(job, todo=n)
            jobs.write(job)
        except BaseException:
            jobs.drop(job.job_id)
            raise
    asked.service.wake.set()
    return _accepted(job)


@router.post(
    "/upgrade", **described("Move the gallery to another model that may meet its own", JobShown, 202)
)
async def upgrade(asked: Writer, target: Target) -> JSONResponse:
    asked.service.embedders.named(target.model)
    job = asked.service.jobs.new(asked.gallery.name, "upgrade", asked.by, model=target.model)
    asked.service.jobs.write(job)
    asked.log("upgrade", model=target.model)
    asked.service.wake.set()
    return _accepted(job)


@router.get("/jobs", **described("The jobs of a gallery, the newest first", JobsShown))
async def list_jobs(asked: Reader) -> JSONResponse:
    found = [job for job in asked.service.jobs.all() if job.gallery == asked.gallery.name]
    newest = found[: -1 - asked.service.settings.limits.page : -1]
    return JSONResponse({"jobs": [asdict(job) for job in newest]})


@router.get("/jobs/{job_id}", **described("How far a job is", JobShown))
async def show_job(job_id: JobId, asked: Reader) -> JSONResponse:
    return JSONResponse(asdict(_of(asked, job_id)))


@router.delete("/jobs/{job_id}", **described("Stop a job; what it has done stays", JobShown, 202))
async def cancel_job(job_id: JobId, asked: Writer) -> JSONResponse:
    job = _of(asked, job_id)
    if job.state not in ENDED:
        asked.service.jobs.cancel(job_id)
        asked.service.wake.set()
    return JSONResponse(asdict(job), 202)


def _of(asked: Asked, job_id: str) -> Job:
    job = asked.service.jobs.read(job_id)
    if job.gallery != asked.gallery.name:
        raise ProblemError(404, "not-found", "there is no such job")
    return job


def _accepted(job: Job) -> JSONResponse:
    where = f"/v1/galleries/{job.gallery}/jobs/{job.job_id}"
    return JSONResponse(asdict(job), 202, headers={"Location": where})


async def _spool(request: Request, path: Path, most: int) -> int:
    """Write what is sent to a job's file, piece by piece; returns how many lines there are.

    Raises:
        ProblemError: it is too long, or cut short.
    """
    n_bytes, n_lines, last = 0, 0, b"\n"
    path.touch(mode=0o600)
    try:
        with path.open("wb") as file:
            async for piece in request.stream():
                n_bytes += len(piece)
                if n_bytes > most:
                    why = f"expected at most {most // 2**20} MB"
                    raise ProblemError(413, "too-large", why, headers={"Connection": "close"})
                n_lines += piece.count(b"\n")
                last = piece[-1:] or last
                file.write(piece)
    except ClientDisconnect as error:
        raise ProblemError(400, "invalid", "the request was cut short") from error
    return n_lines + (last != b"\n")
