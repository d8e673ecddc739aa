"""The service as processes: commands, several workers, TLS, and an end that loses nothing."""

import contextlib
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from facespace.cli import app
from facespace.gallery import Gallery
from facespace.service.keys import Keys

PATIENCE_S = 120.0
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")


@contextlib.contextmanager
def started(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A service in a process of its own, and its port."""
    command = [
        sys.executable,
        "-m",
        "facespace",
        "api",
        str(folder),
        "--port",
        "0",
        "--threads",
        "1",
        *options,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr is not None
        lines = []
        while not (found := re.search(r":(\d+)/v1", line := process.stderr.readline())):
            lines.append(line)
            assert line, lines
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()


def ask(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(
            method, path, body, {name.replace("_", "-"): value for name, value in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def ready(port: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        with contextlib.suppress(OSError):
            if ask(port, "GET", "/readyz")[0] == 200:
                return
        assert time.monotonic() < until, "the service does not start"
        time.sleep(0.05)


def a_face(seed: int) -> bytes:
    row = np.random.default_rng(seed).normal(size=128)
    return json.dumps({"subject": f"Nr {seed}", "embedding": (row / np.linalg.norm(row)).tolist()}).encode()


JSON = {"content_type": "application/json"}


def test_keys_are_made_listed_and_revoked_by_command(tmp_path: Path) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["api", "keys", *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    made = json.loads(
        run("make", str(tmp_path), "--gallery", "team", "--right", "write", "--note", "HR", "--json")
    )
    assert Keys(tmp_path).find(made["key"]) is not None
    listed = json.loads(run("list", str(tmp_path), "--json"))["keys"]
    assert [(one["key_id"], one["gallery"], one["rights"]) for one in listed] == [
        (made["key_id"], "team", ["write"])
    ]
    assert "sha256" not in listed[0] and made["key_id"] in run("list", str(tmp_path))
    run("revoke", str(tmp_path), made["key_id"])
    assert Keys(tmp_path).all() == []


def test_others_cannot_reach_a_service_without_keys(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "facespace",
        "api",
        str(tmp_path),
        "--no-keys",
        "--host",
        "0.0.0.0",
        "--port",
        "0",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 2 and "without keys expected an address of this machine" in done.stderr


def test_workers_share_galleries_keys_and_counts_and_one_that_dies_is_replaced(tmp_path: Path) -> None:
    _, key = Keys(tmp_path).make("*", ["read", "write"])
    with started(tmp_path, "--workers", "2") as (process, port):
        ready(port)
        assert ask(port, "PUT", "/v1/galleries/team", x_api_key=key)[0] == 201
        for seed in range(8):
            path = f"/v1/galleries/team/faces/k{seed}"
            assert ask(port, "PUT", path, a_face(seed), x_api_key=key, **JSON)[0] == 201
            path = "/v1/galleries/team/identify"
            status, found = ask(port, "POST", path, a_face(seed), x_api_key=key, **JSON)
            assert (status, found["faces"][0]["subject"]) == (200, f"Nr {seed}")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if children.exists():
            workers = [int(pid) for pid in children.read_text().split() if _is_worker(int(pid))]
            os.kill(workers[0], signal.SIGKILL)
            until = time.monotonic() + PATIENCE_S
            while len([pid for pid in children.read_text().split() if _is_worker(int(pid))]) < 2:
                assert time.monotonic() < until
                time.sleep(0.05)
            ready(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0


def _is_worker(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_what_was_acknowledged_is_there_after_any_end(tmp_path: Path, how: int) -> None:
    acknowledged: list[str] = []
    with started(tmp_path, "--no-keys") as (process, port):
        ready(port)
        ask(port, "PUT", "/v1/galleries/team")
        stop = threading.Event()

        def enrol(first: int) -> None:
            seed = first
            while not stop.is_set():
                with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                    if ask(port, "PUT", f"/v1/galleries/team/faces/k{seed}", a_face(seed), **JSON)[0] == 201:
                        acknowledged.append(f"Nr {seed}")
                        seed += 2

        clients = [threading.Thread(target=enrol, args=(first,)) for first in range(2)]
        for client in clients:
            client.start()
        while len(acknowledged) < 10:
            time.sleep(0.005)
        process.send_signal(how)
        process.wait(PATIENCE_S)
        stop.set()
        for client in clients:
            client.join()
    with Gallery(tmp_path / "team.gallery", create=False) as gallery:
        subjects = {one.name: one.n_faces for one in gallery.subjects()}
        assert gallery.check() == ()
    assert set(acknowledged) <= set(subjects) and set(subjects.values()) == {1}
    assert len(subjects) <= len(acknowledged) + 2


def test_tls_by_certificate_files(tmp_path: Path) -> None:
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    files = {"-keyout": tmp_path / "key.pem", "-out": tmp_path / "cert.pem"}
    try:
        subprocess.run(
            [*made, *(str(part) for pair in files.items() for part in pair)], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("openssl is not installed, which makes the certificate")
    options = ["--tls-cert", str(files["-out"]), "--tls-key", str(files["-keyout"]), "--no-keys"]
    with started(tmp_path / "galleries", *options) as (_, port):
        trusted = ssl.create_default_context(cafile=str(files["-out"]))
        trusted.check_hostname = False
        connection = http.client.HTTPSConnection("localhost", port, timeout=PATIENCE_S, context=trusted)
        connection.request("GET", "/livez")
        assert connection.getresponse().status == 200
        connection.close()
