"""Requests that nobody sends by mistake: no answer is a fault of ours, none tells where files lie, none is logged.

The first test goes through the table of routes, so that a new route is tried by being there.
"""

import json
import logging
import socket
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from facespace.http import connections
from facespace.library import Library
from facespace.web.app import create_app
from facespace.web.parameters import Correction
from facespace.web.security import CSRF_HEADER, Guard
from hostile.mutate import mutations
from served import make_library, make_site, served

HOST = "127.0.0.1:8128"
NUMBERS = (0, -1, 2**31, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400, 1e999, float("nan"), 0.5, True)
TEXTS = (
    "", " ", "0", "00", "-0", "+1", "1e3", "0x1", "1_0", "\u0663", "\u00b2", "9" * 30, "9" * 5000, "f" * 16,
    "7" + "f" * 15,
    "\0", "a\0b", "\r\n", "\x1b[31m", "\u202e", "\ufeff", "%00", "..", "../..", "..%2f", "/etc/passwd", "\\", "null",
    "NaN", "' OR 1=1 --", "<script>", "{{7*7}}", "%s%n", "1.png", "1.png#0", "1.png#" + "9" * 5000, "#", "#1",
    "1.png#\u00b2",
    "x" * 100_000, "\U0001f600", "\ud800",
)  # fmt: skip
KINDS = (
    None, "", "application/json", "application/json; charset=utf-16", "text/plain", "application/octet-stream",
    "image/png", "multipart/form-data", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded",
    "\x00", "/",
)  # fmt: skip
BODIES = (
    b"", b"{}", b"[]", b"null", b"1", b'"x"', b"{", b'{"person": 1, "person": 2}', b"[" * 100_000, b'{"a":' * 50_000,
    b'{"person": ' + b"9" * 5000 + b"}", b'{"person": NaN}', b'{"name": "\\ud800"}', b"\xff\xfe", b"\xef\xbb\xbf{}",
    b"\x1f\x8b\x08\0", b"--x\r\n\r\n--x--", b"a=1&a=2", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff",
)  # fmt: skip


class Asked(TestClient):
    """A browser that was let in; each answer is looked at."""

    def __init__(self, folder: Path) -> None:
        self.site = make_site(make_library(folder), Guard(frozenset({HOST})))
        self.site.warm()
        self.folder = folder
        self.app_asked = create_app(self.site)
        super().__init__(
            self.app_asked, base_url=f"http://{HOST}", headers={CSRF_HEADER: self.site.guard.csrf}
        )
        self.n_asked = 0

    def try_(self, method: str, path: str, **sent: Any) -> int:
        self.n_asked += 1
        answer = self.request(method, path, **sent)
        about = f"{method} {path[:200]} {str(sent)[:300]}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500, about
        if answer.status_code >= 400:
            assert str(self.folder) not in answer.text and "Traceback" not in answer.text, about
            assert len(answer.text) < 5000, about
        return answer.status_code


@pytest.fixture
def asked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Asked]:
    with Asked(tmp_path) as client:
        yield client
    client.site.close()
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


def routes(asked: Asked) -> list[tuple[str, str, list[str]]]:
    """Method, path and the names of what stands in the query, of every route."""
    found = []
    for route in asked.app_asked.app.router.routes:  # type: ignore[attr-defined]
        for inner in getattr(getattr(route, "original_router", None), "routes", [route]):
            if hasattr(inner, "dependant"):
                query = [field.name for field in inner.dependant.query_params]
                found += [(method, inner.path, query) for method in sorted(inner.methods)]
    return found


def filled(path: str, value: str) -> str:
    start, end = path.find("{"), path.find("}")
    return path if start < 0 else filled(path[:start] + value + path[end + 1 :], value)


def test_every_route_takes_what_is_no_number_and_no_name(asked: Asked) -> None:
    table = routes(asked)
    assert {"/", "/people/{number}", "/photos/{number}/{size}", "/say/{action}", "/search/photo"} <= {
        p for _, p, _ in table
    }
    for method, path, query in table:
        for text in TEXTS:
            sent = quote(text.encode("utf-8", "surrogatepass"), safe="")[:20_000]
            if "{" in path:
                asked.try_(method, filled(path, sent), json={} if method == "POST" else None)
            for name in query:
                asked.try_(method, f"{filled(path, '1')}?{name}={sent}")
        for name in query:
            assert asked.try_(method, f"{filled(path, '1')}?{name}=1&{name}=2") == 400
        for other in ("HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "POST", "BREW"):
            asked.try_(other, filled(path, "1"))
    assert asked.n_asked > 500


def test_every_field_of_a_correction_takes_what_it_is_not(asked: Asked) -> None:
    values = [
        *NUMBERS,
        *TEXTS,
        None,
        [],
        {},
        [[]],
        [None],
        [1, "x"],
        [2**70],
        ["f" * 16],
        ["9" * 5000],
        ["x"] * 20_000,
    ]
    for action in (
        "name",
        "merge",
        "split",
        "apart",
        "confirm",
        "reject",
        "not-a-face",
        "hide",
        "undo",
        "redo",
    ):
        for field in Correction.model_fields:
            for value in values:
                sent = json.dumps({"person": 1, field: value}).encode()
                asked.try_(
                    "POST", f"/say/{action}", content=sent, headers={"content-type": "application/json"}
                )


def test_every_body_and_kind_of_body_is_taken_by_every_route(asked: Asked) -> None:
    for method, path, _ in routes(asked):
        if method == "POST":
            for body in BODIES:
                for given in ("application/json", "image/png"):
                    asked.try_("POST", filled(path, "undo"), content=body, headers={"content-type": given})
            for kind in KINDS:
                headers = {} if kind is None else {"content-type": kind}
                asked.try_("POST", filled(path, "undo"), content=iter([b"{", b"}"]), headers=headers)


def test_changed_requests_get_an_answer_or_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HEAD_S", "BODY_S", "CHECK_S"):
        monkeypatch.setattr(connections, name, 0.3)
    folder = make_library(tmp_path)
    with served(folder) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        with urllib.request.urlopen(url) as page:
            secret = page.read().decode().partition('name="csrf" content="')[2].partition('"')[0]
        head = (
            f" HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n{CSRF_HEADER}: {secret}\r\n".encode()
        )
        good = [
            b"GET /" + head + b"\r\n",
            b"GET /people/1?offset=0&part=true"
            + head
            + b"Accept: text/html\r\nCookie: a=b; facespace=c\r\n\r\n",
            b"GET /photos?since=2019&until=2020-01" + head + b"Sec-Fetch-Site: same-origin\r\n\r\n",
            b"GET /photos/1/large" + head + b"Range: bytes=0-10\r\n\r\n",
            b"POST /say/name" + head + b"Content-Type: application/json\r\nContent-Length: 26\r\n\r\n"
            b'{"person": 1, "name": "A"}',
            b"POST /scan" + head + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ]
        words = [
            b"/static/",
            b"chunked",
            b"Expect: 100-continue\r\n",
            b"Host: x\r\n",
            b"\r\n\r\n",
            b"Upgrade: websocket\r\n",
        ]
        with ThreadPoolExecutor(16) as many:
            sent = list(mutations(good, 500, words=words))
            statuses = list(many.map(lambda one: answer_to(host, int(port), one), sent))
    assert not {status for status in statuses if status >= 500}
    assert len({status for status in statuses if 200 <= status < 500}) >= 4
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []
    Library(folder, create=False).close()


def answer_to(host: str, port: int, sent: bytes) -> int:
    """The status of the answer; 0 where the connection was ended without one."""
    with socket.create_connection((host, port), timeout=30) as connection:
        try:
            connection.sendall(sent)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionError:
            pass
    assert b"Traceback" not in answer
    return int(answer.split()[1]) if answer.startswith(b"HTTP/1.1 ") else 0
