"""Clients that are slow, many or malformed against a running server."""

import logging
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from facespace.http import connections
from facespace.library import Library
from served import served

TOO_MANY = 300


@pytest.fixture
def address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[tuple[str, int]]:
    """A running server; the test fails where it writes to its log."""
    Library(tmp_path / "library").close()
    with served(tmp_path / "library") as url:
        host, _, port = url.removeprefix("http://").partition(":")
        yield host, int(port)
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


def status(address: tuple[str, int]) -> int:
    with urllib.request.urlopen(f"http://{address[0]}:{address[1]}/names", timeout=30) as answer:
        return int(answer.status)


def is_dropped(sent: socket.socket) -> bool:
    """Whether the server ends the connection; blocks until it does, or fails after a long time."""
    sent.settimeout(60)
    try:
        while sent.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def test_half_requests_without_number_keep_nobody_waiting(address: tuple[str, int]) -> None:
    waiting = []
    for _ in range(TOO_MANY):
        waiting.append(socket.create_connection(address, timeout=30))
        waiting[-1].sendall(b"GET / HTTP/1.1\r\nHost: ")
    assert status(address) == 200
    # The oldest made room.
    assert is_dropped(waiting[0]) and is_dropped(waiting[TOO_MANY - connections.MAX_CONNECTIONS - 2])
    for sent in waiting:
        sent.close()
    assert status(address) == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HT",
        b"GET /names HTTP/1.1\r\nHost: {}\r\nX: ",
        b"POST /scan HTTP/1.1\r\nHost: {}\r\nContent-Length: 10\r\n\r\n",
        b"POST /scan HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"GET /names HTTP/1.1\r\nHost: {}\r\n\r\nGET /na",
    ],
)
def test_what_does_not_go_on_is_dropped(
    address: tuple[str, int], sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HEAD_S", "BODY_S", "CHECK_S"):
        monkeypatch.setattr(connections, name, 0.05)
    with socket.create_connection(address, timeout=30) as slow:
        slow.sendall(sent.replace(b"{}", f"{address[0]}:{address[1]}".encode()))
        assert is_dropped(slow)
    assert status(address) == 200


def test_a_drop_at_a_time_does_not_keep_a_connection(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HEAD_S", "CHECK_S"):
        monkeypatch.setattr(connections, name, 0.05)

    def trickle(slow: socket.socket) -> None:
        for letter in b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000:
            slow.sendall(bytes([letter]))
            time.sleep(0.01)

    with socket.create_connection(address, timeout=30) as slow, pytest.raises(ConnectionError):
        trickle(slow)


def request(address: tuple[str, int]) -> bytes:
    return f"GET /static/facespace.css HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n\r\n".encode()


def test_an_answer_that_nobody_reads_is_dropped(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("READ_S", "CHECK_S"):
        monkeypatch.setattr(connections, name, 0.05)

    def ask_on(slow: socket.socket) -> None:
        while True:
            slow.sendall(request(address) * 10)

    with socket.create_connection(address, timeout=30) as slow, pytest.raises(ConnectionError):
        ask_on(slow)


def test_requests_ahead_of_their_answers_are_not_kept_without_end(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=30) as eager:
        eager.sendall(request(address) * 3)
        answered = b""
        while answered.count(b"HTTP/1.1 200") < 3:
            answered += eager.recv(65536)
    with socket.create_connection(address, timeout=30) as eager, pytest.raises(ConnectionError):
        eager.sendall(request(address) * 400_000)


@pytest.mark.parametrize(
    "sent",
    [
        b"\0" * 100, b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500, b"A" * 100_000,
        b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\nHost: {}\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: {}\r\nHost: {}\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: {}\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: {}\r\n\r\n", b"GET http://{}/%ff%00 HTTP/1.1\r\nHost: {}\r\n\r\n",
        b"POST /scan HTTP/1.1\r\nHost: {}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST /scan HTTP/1.1\r\nHost: {}\r\nContent-Length: 99999999999999999999999\r\n\r\nab",
        b"POST /scan HTTP/1.1\r\nHost: {}\r\nContent-Length: -1\r\n\r\n",
        b"POST /scan HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /scan HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
        b"POST /scan HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /scan HTTP/1.1\r\nHost: {}\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"CONNECT {} HTTP/1.1\r\nHost: {}\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: {}\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: {}\r\n\r\n", b"GET ? HTTP/1.1\r\nHost: {}\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(address: tuple[str, int], sent: bytes) -> None:
    with socket.create_connection(address, timeout=30) as strange:
        strange.sendall(sent.replace(b"{}", f"{address[0]}:{address[1]}".encode()))
        strange.shutdown(socket.SHUT_WR)
        try:
            answer = strange.recv(65536)
        except ConnectionError:
            answer = b""
    assert answer.split(b" ")[1:2] not in ([b"500"], [b"200"]) or b"websocket" in sent
    assert status(address) == 200
