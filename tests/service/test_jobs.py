"""Jobs: accepted at once, done afterwards, resumed by the next start, stopped when that is asked."""

import base64
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from facespace.gallery import Gallery
from facespace.service.jobs import JobFolder
from fakes import COLOURS, DrawnEmbedder
from gallery.acting import NEWER, NewerEmbedder
from service.asked import DrawnEmbedders, ask, make_service, photo

TEAM = "/v1/galleries/team"
LINES = {"content-type": "application/x-ndjson"}


def line(key: str, subject: str, colour: str) -> str:
    image = base64.b64encode(photo(colour)).decode()
    return json.dumps({"key": key, "subject": subject, "image": image})


def ended(asked: TestClient, job: Any) -> Any:
    """The job when it has ended."""
    until = time.monotonic() + 60
    while (now := asked.get(f"{TEAM}/jobs/{job['job_id']}").json())["state"] in ("waiting", "running"):
        assert time.monotonic() < until, now
        time.sleep(0.02)
    return now


def test_lines_are_enrolled_and_the_bad_ones_told(tmp_path: Path) -> None:
    lines = [
        line("a1", "Ann", "red"), "no json", json.dumps({"key": "x"}), line("b1", "Bob", "green"),
        json.dumps({"key": "../x", "subject": "Ann", "image": "AAAA"}), line("a1", "Ann", "red"),
        json.dumps({"subject": "Ann", "image": "AAAA"}),
    ]  # fmt: skip
    with ask(make_service(tmp_path)) as asked:
        asked.put(TEAM)
        answer = asked.post(f"{TEAM}/enrolments", content="\n".join(lines), headers=LINES)
        assert answer.status_code == 202 and answer.json()["todo"] == 7
        assert answer.headers["location"] == f"{TEAM}/jobs/{answer.json()['job_id']}"
        job = ended(asked, answer.json())
        assert (job["state"], job["done"]) == ("done", 7)
        assert job["outcomes"] == {"new": 2, "unchanged": 1, "refused": 4}
        assert [one["line"] for one in job["refused"]] == [2, 3, 5, 7]
        assert asked.get(TEAM).json()["n_faces"] == 2
        assert [one["job_id"] for one in asked.get(f"{TEAM}/jobs").json()["jobs"]] == [job["job_id"]]
    assert not JobFolder(tmp_path).lines(job["job_id"]).exists()


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_a_job_of_nothing_is_done_at_once(tmp_path: Path, content: bytes) -> None:
    with ask(make_service(tmp_path)) as asked:
        asked.put(TEAM)
        job = ended(asked, asked.post(f"{TEAM}/enrolments", content=content, headers=LINES).json())
        assert job["state"] == "done" and job["todo"] == len(content)


def test_a_job_that_was_cut_off_is_resumed_by_the_next_start(tmp_path: Path) -> None:
    with ask(make_service(tmp_path)) as asked:
        asked.put(TEAM)
    jobs = JobFolder(tmp_path)
    job = jobs.new("team", "enrol", None)
    lines = [line(f"k{i}", list(COLOURS)[i % 4], list(COLOURS)[i % 4]) for i in range(6)]
    jobs.lines(job.job_id).write_text("\n".join(lines))
    # As a process leaves it that was killed after the second line, of which the third was enrolled already.
    jobs.write(dataclasses.replace(job, state="running", todo=6, done=2, outcomes={"new": 2}))
    with ask(make_service(tmp_path)) as asked:
        found = ended(asked, dataclasses.asdict(job))
        assert (found["state"], found["done"], found["outcomes"]) == ("done", 6, {"new": 6})
        assert asked.get(TEAM).json()["n_faces"] == 4


def test_a_job_is_left_to_the_process_that_works_on_it(tmp_path: Path) -> None:
    jobs = JobFolder(tmp_path)
    job = jobs.new("team", "enrol", None)
    held = jobs.take(job.job_id)
    assert held is not None and jobs.take(job.job_id) is None
    held.close()
    again = jobs.take(job.job_id)
    assert again is not None
    again.close()


def test_a_job_that_is_cancelled_keeps_what_it_has_done(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    with ask(service) as asked:
        asked.put(TEAM)
        jobs = JobFolder(tmp_path)
        job = jobs.new("team", "enrol", None)
        jobs.lines(job.job_id).write_text(line("a1", "Ann", "red"))
        jobs.cancel(job.job_id)
        jobs.write(dataclasses.replace(job, todo=1))
        assert ended(asked, dataclasses.asdict(job))["state"] == "cancelled"
        assert asked.delete(f"{TEAM}/jobs/{job.job_id}").status_code == 202


def test_a_job_of_a_gallery_that_is_gone_fails(tmp_path: Path) -> None:
    with ask(make_service(tmp_path)) as asked:
        asked.put(TEAM)
        jobs = JobFolder(tmp_path)
        job = jobs.new("gone", "enrol", None)
        jobs.write(job)
        until = time.monotonic() + 60
        while jobs.read(job.job_id).state != "failed":
            assert time.monotonic() < until
            time.sleep(0.02)
        assert "none called gone" in (jobs.read(job.job_id).trouble or "")
        assert asked.get(f"{TEAM}/jobs/{job.job_id}").status_code == 404


class TwoEmbedders(DrawnEmbedders):
    """The newer one is known by its name."""

    def named(self, name: str | None) -> DrawnEmbedder:
        return NewerEmbedder() if name == "newer" else self.one

    def of(self, gallery: Gallery) -> DrawnEmbedder:
        spec = gallery.model()
        return NewerEmbedder() if spec is not None and spec.sha256 == NEWER.sha256 else self.one


def test_a_gallery_that_keeps_its_pictures_goes_over_to_another_model(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    service.embedders = service.galleries._embedders = TwoEmbedders()
    with ask(service) as asked:
        asked.put(TEAM, json={"keep_pictures": True})
        for i, colour in enumerate(("red", "green")):
            sent = {"content": photo(colour), "headers": {"content-type": "image/png"}}
            asked.put(f"{TEAM}/faces/k{i}?subject={colour}", **sent)
        job = ended(asked, asked.post(f"{TEAM}/upgrade", json={"model": "newer"}).json())
        assert (job["state"], job["done"], job["todo"]) == ("done", 2, 2)
        assert job["outcomes"] == {"embedded": 2, "not_available": 0}
        assert asked.get(TEAM).json()["model"]["sha256"] == NEWER.sha256
        found = asked.post(
            f"{TEAM}/identify", content=photo("red"), headers={"content-type": "image/png"}
        ).json()
        assert found["faces"][0]["subject"] == "red" and found["model"]["sha256"] == NEWER.sha256


@pytest.mark.parametrize("sent", [{"json": {"model": "../x"}}, {"json": {}}, {"content": b"x"}])
def test_a_model_that_is_no_name_is_refused(tmp_path: Path, sent: dict[str, Any]) -> None:
    with ask(make_service(tmp_path)) as asked:
        asked.put(TEAM)
        assert asked.post(f"{TEAM}/upgrade", **sent).status_code == 422
        assert asked.get(f"{TEAM}/jobs").json() == {"jobs": []}


def test_a_bulk_file_has_a_limit(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    limits = dataclasses.replace(service.settings.limits, bulk_bytes=1000)
    with ask(make_service(tmp_path, limits=limits)) as asked:
        asked.put(TEAM)
        assert asked.post(f"{TEAM}/enrolments", content=b"x" * 1001, headers=LINES).status_code == 413
        assert asked.post(f"{TEAM}/enrolments", content=b"x").status_code == 415
        assert asked.get(f"{TEAM}/jobs").json() == {"jobs": []}
        assert list((tmp_path / "jobs").iterdir()) == []
