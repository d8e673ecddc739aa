"""What stands before the routes: keys, limits, origins, time-outs, and requests that are none."""

import asyncio
import dataclasses
import json
import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from facespace.errors import DataError, GalleryError, ImageError, InputError
from facespace.service.engine import Engine
from facespace.service.keys import Keys
from facespace.service.problems import TYPES, problem_of
from facespace.service.settings import Limits
from fakes import DrawnDetector
from service.asked import PNG, ask, make_service, photo
from service.malformed import malformed

TEAM = "/v1/galleries/team"


class TestKeys:
    @pytest.fixture
    def keys(self, tmp_path: Path) -> Keys:
        return Keys(tmp_path)

    def test_none_are_valid_before_one_is_made(self, keys: Keys) -> None:
        assert keys.all() == [] and keys.find("") is None and keys.find("fsk__") is None

    def test_what_is_kept_does_not_let_in(self, keys: Keys) -> None:
        key, text = keys.make("team", ["read"])
        assert keys.find(text) == key
        kept = keys.path.read_text()
        assert text not in kept and text.split("_", 2)[2] not in kept
        assert keys.path.stat().st_mode & 0o777 == 0o600
        for wrong in (
            key.sha256,
            text[:-1],
            text + "x",
            f"fsk_{key.key_id}_",
            text.upper(),
            "\udcff",
            text[4:] + "\u00e9",
        ):
            assert keys.find(wrong) is None, wrong

    def test_a_key_is_known_and_revoked_in_another_process(self, keys: Keys, tmp_path: Path) -> None:
        other = Keys(tmp_path)
        key, text = keys.make("team", ["read", "delete"], note="Ann's")
        assert other.find(text) == key
        keys.revoke(key.key_id)
        assert other.find(text) is None
        with pytest.raises(InputError, match="expected the id of a key"):
            keys.revoke(key.key_id)

    @pytest.mark.parametrize("rights", [[], ["admin"], ["read", "admin"]])
    def test_a_right_that_there_is_not_is_refused(self, keys: Keys, rights: list[str]) -> None:
        with pytest.raises(InputError, match="rights"):
            keys.make("team", rights)

    @pytest.mark.parametrize("content", ["", "[]", '{"keys": [{}]}', '{"keys": 7}'])
    def test_a_damaged_file_lets_nobody_in(self, keys: Keys, content: str) -> None:
        keys.path.write_text(content)
        with pytest.raises(DataError, match="damaged"):
            keys.find("fsk_x_y")


RIGHTS = {
    "read": [("GET", ""), ("POST", "/identify"), ("POST", "/search"), ("GET", "/faces"), ("GET", "/subjects"),
             ("GET", "/export"), ("GET", "/jobs")],
    "write": [("PUT", ""), ("PUT", "/faces/a1"), ("POST", "/faces"), ("PUT", "/subjects/Ann"), ("POST", "/enrolments"),
              ("POST", "/upgrade"), ("DELETE", f"/jobs/{'0' * 24}")],
    "delete": [("DELETE", "/faces/a1"), ("DELETE", "/subjects/Ann"), ("DELETE", "")],
}  # fmt: skip


@pytest.mark.parametrize("right", RIGHTS)
def test_every_route_asks_for_its_right_in_its_gallery(tmp_path: Path, right: str) -> None:
    keys = Keys(tmp_path)
    _, all_of_them = keys.make("*", ["read", "write", "delete"])
    others = [other for other in RIGHTS if other != right]
    with ask(make_service(tmp_path, keys=True)) as asked:
        for gallery in ("team", "other"):
            asked.put(f"/v1/galleries/{gallery}", headers={"x-api-key": all_of_them})
        _, lacking = keys.make("team", others)
        _, elsewhere = keys.make("other", [right])
        _, enough = keys.make("team", [right])
        for method, path in RIGHTS[right]:
            sent = {"json": {"model": "drawn"}} if path == "/upgrade" else {}
            for text, refused in ((lacking, True), (elsewhere, True), (enough, False)):
                answer = asked.request(
                    method, TEAM + path, headers={"authorization": f"Bearer {text}"}, **sent
                )
                is_right = answer.status_code == 403 and answer.json()["type"] == "urn:facespace:right"
                assert is_right == refused, (method, path, answer.text)


WRONG: tuple[dict[str, str], ...] = (
    {}, {"authorization": "Bearer fsk_1_2"}, {"authorization": "Basic x"}, {"x-api-key": "\u00e9"},
)  # fmt: skip


def test_without_a_valid_key_nothing_is_answered_but_health_and_the_description(tmp_path: Path) -> None:
    Keys(tmp_path).make("*", ["read"])
    with ask(make_service(tmp_path, keys=True)) as asked:
        for path in ("/v1/galleries", "/metrics", f"{TEAM}/faces", "/v1/nothing/at/all"):
            for headers in (
                {},
                {"authorization": "Bearer fsk_1_2"},
                {"authorization": "Basic x"},
                {"x-api-key": "\u00e9"},
            ):
                answer = asked.get(path, headers={k: v.encode() for k, v in headers.items()})
                expected = 404 if "nothing" in path else 401
                assert answer.status_code == expected
                if expected == 401:
                    assert answer.headers["www-authenticate"] == "Bearer"
        assert [asked.get(path).status_code for path in ("/livez", "/readyz", "/openapi.json")] == [200] * 3


def test_a_list_shows_only_what_the_key_may_read(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    _, text = keys.make("team", ["read"])
    _, all_of_them = keys.make("*", ["read", "write"])
    with ask(make_service(tmp_path, keys=True)) as asked:
        for name in ("team", "other"):
            asked.put(f"/v1/galleries/{name}", headers={"x-api-key": all_of_them})
        assert asked.get("/v1/galleries", headers={"x-api-key": text}).json() == {
            "galleries": [{"name": "team"}]
        }
        assert asked.get("/metrics", headers={"x-api-key": text}).status_code == 403
        counts = asked.get("/metrics", headers={"x-api-key": all_of_them}).text
        assert 'facespace_gallery_faces{gallery="team"} 0.0' in counts
        assert 'route="/v1/galleries/{gallery}"' in counts


def test_a_key_that_asks_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    _, text = Keys(tmp_path).make("*", ["read"])
    with ask(make_service(tmp_path, keys=True, limits=Limits(rate=0.001)), **{"x-api-key": text}) as asked:
        answers = [asked.get("/v1/galleries") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        assert answers[1].headers["retry-after"] == "1" and answers[1].json()["type"] == "urn:facespace:rate"


@pytest.mark.parametrize(
    ("headers", "is_own"),
    [
        ({}, True),
        ({"host": "localhost:8129"}, True),
        ({"host": "[::1]:8129"}, True),
        ({"host": "evil.example:8129"}, False),
        ({"host": ""}, False),
        ({"origin": "http://127.0.0.1:8129"}, True),
        ({"origin": "https://evil.example"}, False),
        ({"origin": "null"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"origin": "https://friend.example", "sec-fetch-site": "cross-site"}, True),
    ],
)
def test_without_keys_web_pages_elsewhere_may_not_ask(
    tmp_path: Path, headers: dict[str, str], is_own: bool
) -> None:
    with ask(make_service(tmp_path, origins=("https://friend.example",))) as asked:
        assert asked.put(TEAM, headers=headers).status_code == (201 if is_own else 403)


def test_a_body_has_a_limit_and_so_have_all_together(tmp_path: Path) -> None:
    with ask(make_service(tmp_path, limits=Limits(body_bytes=1000))) as asked:
        asked.put(TEAM)
        answer = asked.post(f"{TEAM}/identify", content=b"x" * 1001, headers=PNG)
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:facespace:too-large")
        asked.app.bodies.hold(15_500)  # type: ignore[attr-defined]
        answer = asked.post(f"{TEAM}/identify", content=b"x" * 600, headers=PNG)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


def test_a_picture_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    with ask(make_service(tmp_path, limits=Limits(pixels=1000))) as asked:
        answer = asked.post("/v1/detect", content=photo("red"), headers=PNG)
        assert (answer.status_code, answer.json()["type"]) == (422, "urn:facespace:unreadable-picture")


class WaitingDetector(DrawnDetector):
    """Waits until it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()

    def detect(self, image: np.ndarray, /) -> Any:
        assert self.go_on.wait(60)
        return super().detect(image)


def test_pictures_beyond_the_queue_are_refused_and_the_others_answered(tmp_path: Path) -> None:
    service = make_service(tmp_path)
    waiting = WaitingDetector()
    engine = Engine(waiting, Limits(queue=2), threads=1, metrics=service.metrics)
    embedder = service.embedders.default()

    async def ask_five() -> list[Any]:
        asked = [asyncio.create_task(engine.faces(photo("red"), embedder)) for _ in range(5)]
        while sum(task.done() for task in asked) < 2:
            await asyncio.sleep(0.001)
        waiting.go_on.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    found = asyncio.run(ask_five())
    engine.close()
    refused = [one for one in found if isinstance(one, Exception)]
    assert [problem_of(one).status for one in refused] == [429, 429]
    assert problem_of(refused[0]).headers["Retry-After"] == "1"
    assert [len(one) for one in found if not isinstance(one, Exception)] == [1, 1, 1]


def test_an_answer_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    service = make_service(tmp_path, limits=Limits(timeout_s=0.2))
    waiting = WaitingDetector()
    service._detector = waiting
    with ask(service) as asked:
        answer = asked.post("/v1/detect", content=photo("red"), headers=PNG)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:facespace:time-out")
        waiting.go_on.set()


def test_a_fault_of_ours_says_nothing_of_itself(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Failing(DrawnDetector):
        def detect(self, image: np.ndarray, /) -> Any:
            raise RuntimeError("secret")

    service = make_service(tmp_path)
    service._detector = Failing()
    with ask(service) as asked:
        answer = asked.post("/v1/detect", content=photo("red"), headers=PNG)
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:facespace:fault")
    assert "secret" not in answer.text and "secret" in caplog.text


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (ImageError("/home/ann/x.jpg", "not a picture"), 422, "unreadable-picture"),
        (InputError("k: expected 1"), 422, "invalid"),
        (GalleryError("/srv/faces/team.gallery: nobody"), 409, "conflict"),
        (OSError(28, "No space left on device", "/srv/faces/x"), 503, "storage"),
        (ValueError("/srv/faces"), 500, "fault"),
    ],
)
def test_an_error_has_its_kind_and_no_path(error: Exception, status: int, kind: str) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.kind) == (status, kind) and kind in TYPES
    assert "/" not in problem.detail


def test_malformed_requests_are_refused_in_one_form_without_a_path(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with ask(make_service(tmp_path, limits=dataclasses.replace(Limits(), timeout_s=60))) as asked:
        asked.put(TEAM)
        description = asked.get("/openapi.json").json()
        for method, path, headers, body in malformed(description, 250, seed=0):
            answer = _sent(asked, method, path, headers, body)
            if answer is None:
                continue
            assert answer.status_code < 500, (method, path, body, answer.text)
            assert str(tmp_path) not in answer.text and "Traceback" not in answer.text
            # The form of CompreFace's errors is its own.
            if answer.status_code >= 400 and method != "HEAD" and not path.startswith("/api/v1"):
                document = json.loads(answer.text)
                assert document["status"] == answer.status_code and document["type"].startswith(
                    "urn:facespace:"
                )
    assert [record for record in caplog.records if record.name.startswith("facespace")] == []


def _sent(asked: TestClient, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Any:
    encoded = {name.replace("_", "-"): value.encode("latin-1") for name, value in headers.items()}
    try:
        return asked.request(method, path, content=body, headers=encoded)
    except (ValueError, UnicodeError):  # the client itself refuses to send it
        return None
