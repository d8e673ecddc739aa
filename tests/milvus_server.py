"""A real Milvus server of the package `milvus`, on free ports and in a folder of its own, that can be killed."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

PATIENCE_S = 240.0


def why_not() -> str:
    """Why there is no server here; empty if there can be one."""
    if sys.platform != "linux":
        return "the package with the Milvus server is for Linux"
    missing = [name for name in ("milvus", "pymilvus") if importlib.util.find_spec(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""


class MilvusProcess:
    """The server; `start` it again after a `kill`, when its port is another one."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.pid = folder, 0, 0
        self._keeper: subprocess.Popen[str] | None = None

    def gallery(self, name: str) -> str:
        return f"milvus://127.0.0.1:{self.port}/{name}"

    def start(self) -> "MilvusProcess":
        # In a process of its own, since the package leaves sockets open; the server ends with its input.
        command = [sys.executable, "-W", "ignore", __file__, str(self.folder)]
        self._keeper = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._keeper.stdout is not None
        line = self._keeper.stdout.readline().split()
        assert len(line) == 2, f"the Milvus server in {self.folder} does not start"
        self.port, self.pid = map(int, line)
        return self

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        if self._keeper is not None:
            self._keeper.communicate(timeout=PATIENCE_S)
            self._keeper = None


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def keep(folder: Path) -> None:
    """Start the server, print its port and process id, and stop it when the input ends."""
    from milvus import MilvusServer

    _share_programs(folder / "bin")
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        server = MilvusServer(_config(folder), wait_for_started=False)
        server.set_base_dir(str(folder))
        server.start()
        while server.server_proc.poll() is None and not _is_healthy(server.webservice_port):
            time.sleep(0.05)
        if server.server_proc.poll() is None:
            _share_programs(folder / "bin")
            print(server.listen_port, server.server_proc.pid, flush=True)
            # Tests that are broken off end this process too, and must not leave the server behind.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit())
            try:
                sys.stdin.read()
            finally:
                server.stop()
            return
        # One that follows a killed one ends itself until the registration of that one has run out.
        server.stop()


def _share_programs(here: Path) -> None:
    """Unpacking the server takes seconds: it is done once, and linked from then on."""
    from milvus import __version__

    there = Path(tempfile.gettempdir()) / f"facespace-milvus-{__version__}-{os.getuid()}"
    source, target = (there, here) if there.is_dir() else (here, there)
    if not source.is_dir() or target.is_dir():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=target.parent))
    for file in source.iterdir():
        os.link(file, beside / file.name)
    beside.rename(target)


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return b"OK" in answer.read()
    except OSError:
        return False


def _config(folder: Path) -> Any:
    from milvus import MilvusServerConfig

    config = MilvusServerConfig()
    # The registry inside the server would take a fixed port, so that there could be one server a machine.
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    settings = folder / "etcd.yaml"
    settings.write_text(
        f"name: default\nlisten-client-urls: {client}\nadvertise-client-urls: {client}\n"
        f"listen-peer-urls: {peer}\ninitial-advertise-peer-urls: {peer}\ninitial-cluster: default={peer}\n"
        f"data-dir: {folder}/data/etcd.data\nlog-outputs: [{folder}/logs/etcd.log]\nlogger: zap\n",
        encoding="utf-8",
    )
    text = config.template_text
    for before, after in (
        ("\netcd:\n", f"\netcd:\n  config:\n    path: {settings}\n"),
        ("timeTickInterval: 200 #", "timeTickInterval: 20 #"),  # a strong read waits for the next tick
        ("ttl: 30 #", "ttl: 3 #"),  # of a killed server's registration
    ):
        assert before in text, f"the server's settings have changed: no {before.strip()}"
        text = text.replace(before, after, 1)
    config.template_text = text
    return config


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
