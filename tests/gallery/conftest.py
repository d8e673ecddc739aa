"""Processes that act on a gallery, for tests that kill them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gallery.acting import acknowledged

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Actor:
    """A process that acts on a gallery, and the file of what it has acknowledged."""

    pid: int
    acks: Path

    def wait(self, n: int | None = None) -> list[str]:
        """Until it has acknowledged ``n`` steps, or all; what it has."""
        until = time.monotonic() + PATIENCE_S
        while len(done := acknowledged(self.acks)) < (n or 10**9) and "done" not in done:
            assert time.monotonic() < until, "the actor does not act"
            time.sleep(0.002)
        return done

    def kill(self) -> list[str]:
        """At once; what it had acknowledged."""
        os.kill(self.pid, signal.SIGKILL)
        # The process that made it does not wait for it: a dead one stays as a zombie.
        while Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
            time.sleep(0.001)
        return acknowledged(self.acks)


Start = Callable[..., Actor]


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """`start("enrol", path, first_id, n)` and so on: a new process that does so."""
    if not Path("/proc/self/stat").exists():
        pytest.skip("kills processes and looks at /proc whether they are dead")
    tests = Path(__file__).parents[1]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    paths = [str(tests), *sys.path]
    code = f"import sys; sys.path[:0] = {paths!r}; from gallery.acting import main; main()"
    maker = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert maker.stdin is not None and maker.stdout is not None

    def begin(what: str, path: Path, *rest: int) -> Actor:
        assert maker.stdin is not None and maker.stdout is not None
        acks = tmp_path_factory.mktemp("acks") / "acks"
        maker.stdin.write(json.dumps([[what, str(path), *rest], str(acks)]) + "\n")
        maker.stdin.flush()
        return Actor(int(maker.stdout.readline()), acks)

    yield begin
    maker.stdin.close()
    maker.stdout.close()
    maker.wait(timeout=PATIENCE_S)
