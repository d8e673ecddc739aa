"""Who may ask what of the local server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from facespace.web import security
from facespace.web.security import CSRF_HEADER, Guard, Guarded

HOST = "127.0.0.1:8128"
OWN = frozenset({HOST, "localhost:8128"})
PAGE = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.url.path} {len(await request.body())}")


def client(guard: Guard) -> TestClient:
    routes = [Route("/{path:path}", echo, methods=["GET", "POST", "PUT", "DELETE"])]
    return TestClient(
        Guarded(Starlette(routes=routes), guard), base_url=f"http://{HOST}", follow_redirects=False
    )


@pytest.fixture
def guard() -> Guard:
    return Guard(OWN)


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {}, 200),
        ("GET", {"host": "LOCALHOST:8128"}, 200),
        ("GET", {"host": ""}, 400),
        ("GET", {"host": "evil.example:8128"}, 400),
        ("GET", {"host": "127.0.0.1"}, 400),
        ("GET", {"host": "127.0.0.1:8128.evil.example"}, 400),
        ("GET", {"sec-fetch-site": "same-origin"}, 200),
        ("GET", {"sec-fetch-site": "none"}, 200),
        (
            "GET",
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"},
            403,
        ),
        ("GET", {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, 403),
        ("GET", {"sec-fetch-site": "cross-site", **PAGE}, 200),
        ("GET", {"sec-fetch-site": "cross-site", **PAGE, "sec-fetch-dest": "iframe"}, 403),
        ("GET", {"origin": "http://evil.example"}, 403),
        ("GET", {"origin": "null"}, 403),
        ("POST", {}, 403),
        ("POST", {CSRF_HEADER: "wrong"}, 403),
        ("POST", {CSRF_HEADER: "SECRET"}, 200),
        ("POST", {CSRF_HEADER: "SECRET", "origin": f"http://{HOST}"}, 200),
        ("POST", {CSRF_HEADER: "SECRET", "origin": "http://evil.example"}, 403),
        ("POST", {CSRF_HEADER: "SECRET", "sec-fetch-site": "cross-site", **PAGE}, 403),
        ("PUT", {}, 403),
        ("DELETE", {}, 403),
    ],
)
def test_only_the_servers_own_pages_are_answered(
    guard: Guard, method: str, headers: dict[str, str], status: int
) -> None:
    sent = {name: guard.csrf if value == "SECRET" else value for name, value in headers.items()}
    assert client(guard).request(method, "/x", headers=sent).status_code == status


def test_every_answer_forbids_what_browsers_would_allow(guard: Guard) -> None:
    for headers in ({}, {"host": "evil.example"}):
        answer = client(guard).get("/", headers=headers)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert answer.headers["x-frame-options"] == "DENY" and answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_secrets_differ_from_server_to_server() -> None:
    assert len({Guard(OWN).csrf for _ in range(10)}) == 10 and len(Guard(OWN).csrf) >= 32


class TestToken:
    @pytest.fixture
    def asked(self) -> TestClient:
        return client(Guard(OWN, token="right"))

    @pytest.mark.parametrize("path", ["/", "/?token=", "/?token=wrong", "/people/1", "/static/x.css"])
    def test_nothing_is_shown_without_it(self, asked: TestClient, path: str) -> None:
        assert asked.get(path).status_code == 401

    def test_it_lets_in_once_and_does_not_stay_in_the_address(self, asked: TestClient) -> None:
        answer = asked.get("/people/1?token=right&part=true")
        assert (answer.status_code, answer.headers["location"]) == (303, "/people/1?part=true")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie and "samesite=strict" in cookie
        assert asked.get("/people/1").text == "/people/1 0"

    def test_it_does_not_lead_to_another_site(self, asked: TestClient) -> None:
        assert (
            asked.get("http://127.0.0.1:8128//evil.example?token=right").headers["location"]
            == "/evil.example"
        )

    def test_it_does_not_take_the_place_of_the_secret_of_the_pages(self, asked: TestClient) -> None:
        asked.get("/?token=right")
        assert asked.post("/say/undo").status_code == 403

    @pytest.mark.parametrize("cookie", ["facespace=wrong", "facespace", "=;", "\u00e9=1", ""])
    def test_cookies_of_others_do_not_help(self, asked: TestClient, cookie: str) -> None:
        assert asked.get("/", headers={"cookie": cookie.encode()}).status_code == 401


class TestUploads:
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(security, "MAX_UPLOAD_BYTES", 1000)

    def test_what_says_that_it_is_too_long_is_not_read(self, guard: Guard) -> None:
        send = client(guard).post
        headers = {CSRF_HEADER: guard.csrf}
        assert send("/", content=b"x" * 1000, headers=headers).text == "/ 1000"
        assert send("/", content=b"x" * 1001, headers=headers).status_code == 413
        assert send("/", content=b"x", headers={**headers, "content-length": "-1"}).status_code == 413

    def test_what_does_not_say_is_cut_off(self, guard: Guard) -> None:
        def pieces() -> Iterator[bytes]:
            yield from [b"x" * 600] * 3

        # The connection ends without an answer.
        with pytest.raises(ClientDisconnect):
            client(guard).post("/", content=pieces(), headers={CSRF_HEADER: guard.csrf})


def test_the_rest_of_the_machine_is_out_of_reach(tmp_path: Path) -> None:
    from served import make_library, make_site

    (tmp_path / "secret.txt").write_text("secret")
    site = make_site(make_library(tmp_path), Guard(OWN))
    from facespace.web.site import create_app

    with TestClient(create_app(site), base_url=f"http://{HOST}") as asked:
        for path in (
            "/static/../site.py", "/static/%2e%2e/site.py", "/static/..%2fsite.py",
            "/static/%2e%2e%2f%2e%2e%2ferrors.py",
            "/photos/..%2f..%2fsecret.txt/large", "/photos/1/..%2f..%2fsecret.txt", "/faces/..%2fsecret/thumbnail",
            "/static/", "/docs", "/openapi.json",
        ):  # fmt: skip
            answer = asked.get(path)
            assert answer.status_code in (400, 404, 405, 422) and "secret" not in answer.text.replace(
                "secret.txt", ""
            ), path
        for bad in ("../secret.txt", str(tmp_path / "secret.txt")):
            with site.library() as library, library.transaction() as catalogue:
                catalogue.execute("UPDATE photos SET path = ? WHERE photo_id = 1", (bad,))
            assert "below the photo folder" in asked.get("/photos/1/large").json()["error"]
    site.close()
