"""`facespace serve` as a program."""

import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

import pytest

from facespace.cli.app import run
from facespace.errors import InputError
from facespace.http.listening import listen
from facespace.library import Library

COMMAND = [sys.executable, "-m", "facespace", "serve"]


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server and the address that it printed."""
    with subprocess.Popen([*COMMAND, *arguments, "--port", "0"], stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        while not line.startswith("open "):
            assert line, "the server ended"
            line = server.stderr.readline()
        try:
            yield server, line.split()[1]
        finally:
            server.kill()


def status(address: str, **headers: str) -> int:
    try:
        return int(
            urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=30).status
        )
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def library(tmp_path: Path) -> Path:
    Library(tmp_path / "library").close()
    return tmp_path / "library"


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_interrupted(library: Path, sent: signal.Signals) -> None:
    with serving("--library", str(library), "--no-token") as (server, address):
        assert address.startswith("http://127.0.0.1:") and address.endswith("/")
        assert status(address) == 200 and status(address, Host="evil.example") == 400
        server.send_signal(sent)
        assert server.wait(30) == 0


def browser() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))


def test_a_printed_address_lets_in_one_browser_and_then_another_is_printed(library: Path) -> None:
    with serving(str(library)) as (server, address):
        base, _, code = address.partition("?code=")
        assert len(code) >= 32 and server.stderr is not None
        assert status(base) == 401 and status(f"{base}?code=x") == 401
        first = browser()
        assert first.open(address).geturl() == base and first.open(base).status == 200
        assert status(address) == 401
        told = server.stderr.readline()
        assert "for another browser: " in told and code not in told
        assert browser().open(told.split()[-1]).status == 200 and first.open(base).status == 200


def test_two_servers_do_not_put_each_other_out(library: Path) -> None:
    one = browser()
    with serving(str(library)) as (_, here), serving(str(library)) as (_, there):
        assert one.open(here).status == one.open(there).status == 200
        assert one.open(here.partition("?")[0]).status == one.open(there.partition("?")[0]).status == 200


def test_other_addresses_are_warned_of(library: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, str(library), "--host", "0.0.0.0", "--port", "0", "--allow-host", "photos.example"],
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr is not None
        warning, line = server.stderr.readline(), server.stderr.readline()
        address = line.split()[1]
        local = address.replace("photos.example", "127.0.0.1").partition("?")[0]
        found = status(local, Host="photos.example"), status(local, Host="evil.example")
        server.kill()
    assert "warning" in warning and "not encrypted" in warning
    assert address.startswith("http://photos.example:") and "?code=" in address
    assert found == (401, 400)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected the folder of the photos or of the library"),
        (["nowhere"], "expected a library, or a folder of photos that has one"),
        (["LIBRARY", "--host", "192.0.2.1"], "cannot listen there"),
        (["LIBRARY", "--host", "no such name"], "expected an address of this machine"),
        (["LIBRARY", "--host", "n" * 300], "expected an address of this machine"),
        (["LIBRARY", "--host", "0.0.0.0", "--no-token"], "leave out --no-token"),
        (["LIBRARY", "--allow-host", "http://photos.example"], "expected a name such as"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    library: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(library) if a == "LIBRARY" else a for a in arguments]
    assert run(["serve", *given]) == 2
    errors = capsys.readouterr().err
    assert said in " ".join(errors.split()) and "Traceback" not in errors


def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port}: cannot listen there: .*--port"):
            listen("127.0.0.1", port)
