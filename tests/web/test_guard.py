"""Who may ask what of the local server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from facespace.web import guarded
from facespace.web.app import create_app
from facespace.web.guarded import Guarded
from facespace.web.security import CSRF_HEADER, MAX_KEPT, Guard, Sessions
from inside import sql
from served import make_library, make_site

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


@pytest.mark.parametrize(
    ("host", "server", "status"),
    [
        ("192.168.1.5:8128", ("192.168.1.5", 8128), 200),
        ("192.168.1.5:8128", ("::ffff:192.168.1.5", 8128), 200),
        ("[fd00::5]:8128", ("fd00::5", 8128), 200),
        ("192.168.1.6:8128", ("192.168.1.5", 8128), 400),
        ("192.168.1.5", ("192.168.1.5", 8128), 400),
        ("photos.example", ("192.168.1.5", 8128), 200),
        ("Photos.Example:443", ("192.168.1.5", 8128), 200),
        ("photos.example.evil", ("192.168.1.5", 8128), 400),
        ("evil.photos.example", ("192.168.1.5", 8128), 400),
        ("testserver", ("testserver", 80), 400),
    ],
)
def test_an_address_of_this_machine_and_allowed_names_are_its_own(
    host: str, server: tuple[str, int], status: int
) -> None:
    guard = Guard(OWN, frozenset({"photos.example"}))
    scope = {
        "type": "http", "method": "GET", "path": "/", "query_string": b"", "server": server,
        "headers": [(b"host", host.encode())],
    }  # fmt: skip
    refusal = guard.refuses(scope)
    assert (200 if refusal is None else refusal.status_code) == status


def test_an_allowed_name_may_ask_by_its_own_pages_alone() -> None:
    guard = Guard(OWN, frozenset({"photos.example"}))
    headers = {"host": "photos.example", CSRF_HEADER: guard.csrf}
    send = client(guard).post
    assert send("/x", headers={**headers, "origin": "https://photos.example"}).status_code == 200
    assert send("/x", headers={**headers, "origin": f"http://{HOST}"}).status_code == 403


class TestSessions:
    @pytest.fixture
    def sessions(self) -> Sessions:
        return Sessions("facespace-8128-abc")

    @pytest.fixture
    def asked(self, sessions: Sessions) -> TestClient:
        return client(Guard(OWN, sessions=sessions))

    @pytest.mark.parametrize("path", ["/", "/?code=", "/?code=wrong", "/people/1", "/static/x.css"])
    def test_nothing_is_shown_without_one(self, asked: TestClient, sessions: Sessions, path: str) -> None:
        sessions.new_code()
        assert asked.get(path).status_code == 401

    def test_a_code_lets_in_one_browser_once(self, asked: TestClient, sessions: Sessions) -> None:
        code = sessions.new_code()
        answer = asked.get(f"/people/1?code={code}&part=true")
        assert (answer.status_code, answer.headers["location"]) == (303, "/people/1?part=true")
        cookie = answer.headers["set-cookie"].lower()
        assert (
            cookie.startswith("facespace-8128-abc=") and "httponly" in cookie and "samesite=strict" in cookie
        )
        assert code not in answer.headers["set-cookie"]
        assert asked.get("/people/1").text == "/people/1 0"
        assert client(Guard(OWN, sessions=sessions)).get(f"/?code={code}").status_code == 401
        # Whoever is in already may open an old address.
        assert asked.get(f"/?code={code}").headers["location"] == "/"

    def test_several_addresses_hold_at_once_each_for_its_browser(self, sessions: Sessions) -> None:
        codes = [sessions.new_code() for _ in range(3)]
        found = [client(Guard(OWN, sessions=sessions)).get(f"/?code={code}") for code in codes]
        assert len({answer.headers["set-cookie"] for answer in found}) == 3

    def test_only_a_visit_uses_a_code_up(self, asked: TestClient, sessions: Sessions) -> None:
        code = sessions.new_code()
        assert asked.head(f"/?code={code}").status_code == 401
        assert asked.post(f"/?code={code}").status_code == 401
        assert asked.get(f"/?code={code}").status_code == 303

    def test_each_entry_is_told(self, sessions: Sessions) -> None:
        told: list[int] = []
        asked = client(Guard(OWN, sessions=sessions, on_entry=lambda: told.append(1)))
        asked.get("/?code=wrong")
        code = sessions.new_code()
        for _ in range(2):
            asked.get(f"/?code={code}")
        assert told == [1]

    @pytest.mark.parametrize(
        "path", ["//evil.example", "/%5Cevil.example", "/%09/evil.example", "/%2F%2Fevil.example"]
    )
    def test_it_does_not_lead_to_another_site(self, asked: TestClient, sessions: Sessions, path: str) -> None:
        target = asked.get(f"http://{HOST}{path}?code={sessions.new_code()}").headers["location"]
        assert target.startswith("/") and target[1:2] not in ("/", "\\", "\t")
        again = client(Guard(OWN, sessions=sessions)).get(
            f"http://{HOST}{path}", headers={"sec-fetch-site": "cross-site", **PAGE}
        )
        assert "url=/evil" in again.text or "url=/%" in again.text

    def test_a_link_on_another_site_is_followed_once_more_from_here(self, asked: TestClient) -> None:
        answer = asked.get('/people/1?a="><b>', headers={"sec-fetch-site": "cross-site", **PAGE})
        assert answer.status_code == 200 and "url=/people/1?a=%22%3E%3Cb%3E" in answer.text
        assert asked.get("/people/1", headers={"sec-fetch-site": "same-origin", **PAGE}).status_code == 401

    def test_it_does_not_take_the_place_of_the_secret_of_the_pages(
        self, asked: TestClient, sessions: Sessions
    ) -> None:
        asked.get(f"/?code={sessions.new_code()}")
        assert asked.post("/say/undo").status_code == 403

    @pytest.mark.parametrize(
        "cookie", ["facespace-8128-abc=wrong", "facespace-8128-abc", "=;", "\u00e9=1", "", "facespace-9=ID"]
    )
    def test_cookies_of_others_do_not_help(self, asked: TestClient, sessions: Sessions, cookie: str) -> None:
        session = str(sessions.exchange(sessions.new_code()))
        assert asked.get("/", headers={"cookie": cookie.replace("ID", session).encode()}).status_code == 401

    def test_cookies_of_others_do_no_harm(self, asked: TestClient, sessions: Sessions) -> None:
        session = sessions.exchange(sessions.new_code())
        for others in ("a=1; ", "a[]=1; {}; ", "\u00e9=1; ", "facespace-9-f=x; "):
            cookie = f"{others}facespace-8128-abc={session}; b"
            assert asked.get("/", headers={"cookie": cookie.encode()}).status_code == 200, others

    def test_what_is_kept_is_bounded(self, sessions: Sessions) -> None:
        codes = [sessions.new_code() for _ in range(3 * MAX_KEPT)]
        kept = [code for code in codes if sessions.exchange(code)]
        assert kept == codes[-MAX_KEPT:]
        assert not sessions.knows("") and sessions.exchange("") is None


class TestBodies:
    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guarded, "MAX_FORM_BYTES", 1000)
        monkeypatch.setattr(guarded, "MAX_UPLOAD_BYTES", 5000)
        monkeypatch.setattr(guarded, "MAX_HELD_BYTES", 6000)

    @pytest.mark.parametrize(("path", "most"), [("/", 1000), ("/search/photo", 5000)])
    def test_what_says_that_it_is_too_long_is_not_read(self, guard: Guard, path: str, most: int) -> None:
        send = client(guard).post
        headers = {CSRF_HEADER: guard.csrf}
        assert send(path, content=b"x" * most, headers=headers).text == f"{path} {most}"
        assert send(path, content=b"x" * (most + 1), headers=headers).status_code == 413

    @pytest.mark.parametrize("length", ["-1", "x", "9" * 40, "1e3"])
    def test_lengths_that_are_none_are_refused(self, guard: Guard, length: str) -> None:
        headers = {CSRF_HEADER: guard.csrf, "content-length": length}
        assert client(guard).post("/", content=b"x", headers=headers).status_code == 413

    def test_what_does_not_say_is_cut_off(self, guard: Guard) -> None:
        def pieces() -> Iterator[bytes]:
            yield from [b"x" * 600] * 3

        answer = client(guard).post("/", content=pieces(), headers={CSRF_HEADER: guard.csrf})
        assert (answer.status_code, answer.headers["connection"]) == (413, "close")

    def test_all_that_is_held_at_once_is_bounded_and_let_go(self, guard: Guard) -> None:
        app = Guarded(Starlette(routes=[Route("/{path:path}", echo, methods=["POST"])]), guard)
        asked = TestClient(app, base_url=f"http://{HOST}", headers={CSRF_HEADER: guard.csrf})
        app.bodies.hold(5500)
        assert asked.post("/", content=b"x" * 600).status_code == 503
        assert asked.post("/", content=b"x" * 400).status_code == 200
        app.bodies.hold(-5500)
        for _ in range(20):
            assert asked.post("/", content=b"x" * 1000).status_code == 200


def test_a_fault_of_ours_is_one_line_for_people(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    async def fails(request: Request) -> PlainTextResponse:
        raise RuntimeError("secret")

    app = Guarded(Starlette(routes=[Route("/", fails)]), guard)
    answer = TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False).get("/")
    assert answer.status_code == 500 and "secret" not in answer.text
    assert "secret" in caplog.text


def test_the_rest_of_the_machine_is_out_of_reach(tmp_path: Path) -> None:

    (tmp_path / "secret.txt").write_text("secret")
    site = make_site(make_library(tmp_path), Guard(OWN))

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
            with site.library() as library:
                sql(library).execute("UPDATE photos SET path = ? WHERE photo_id = 1", (bad,))
            assert "below the photo folder" in asked.get("/photos/1/large").json()["error"]
    site.close()
