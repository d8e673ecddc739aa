"""The service as processes that listen: one, or several of one socket."""

import multiprocessing
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING

from facespace.errors import InputError, MissingExtraError
from facespace.service.settings import Settings

if TYPE_CHECKING:
    import uvicorn

# For what was accepted to be finished, when the service is stopped.
GRACE_S = 60
RESTART_S = 1.0
# For the whole file of a bulk job.
BODY_S = 3600.0
# Where several processes put their counts, for prometheus_client.
COUNTS = "PROMETHEUS_MULTIPROC_DIR"


def serve(settings: Settings, *, on_ready: Callable[[str, bool], None] | None = None) -> None:
    """Serve until the process is stopped; what was accepted is finished first.

    Args:
        settings: of the service.
        on_ready: called with the address and whether only this machine can reach it, before the first request is
            answered.

    Raises:
        InputError: the address cannot be listened at, or others could reach it without keys.
        MissingExtraError: the extra `serve` is not installed.
    """
    try:
        from facespace.http.listening import is_local, listen
    except ImportError as error:
        raise MissingExtraError("the service", "serve") from error
    local = is_local(settings.host)
    if not (settings.keys or local):
        raise InputError(f"{settings.host}: without keys expected an address of this machine alone")
    scheme = "http" if settings.certificate is None else "https"
    with listen(settings.host, settings.port) as opened:
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        if on_ready is not None:
            on_ready(f"{scheme}://{host}:{opened.getsockname()[1]}", local)
        if settings.workers == 1:
            run(settings, [opened])
        else:
            _run_many(settings, opened)


def run(settings: Settings, sockets: list[socket.socket]) -> None:
    """Serve in this process, until it is stopped or the process that made it is gone."""
    import uvicorn

    from facespace.http.connections import Connection
    from facespace.http.listening import server_config
    from facespace.service.app import create_app
    from facespace.service.service import Service

    config = server_config(
        create_app(Service(settings)), lifespan="on",
        http=partial(Connection, most=settings.limits.connections, body_s=BODY_S),
        timeout_graceful_shutdown=GRACE_S, proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies), ssl_certfile=settings.certificate,
        ssl_keyfile=settings.certificate_key,
    )  # fmt: skip
    server = uvicorn.Server(config)
    _stop_with_parent(server)
    server.run(sockets=sockets)


def _stop_with_parent(server: "uvicorn.Server") -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        server.should_exit = True

    threading.Thread(target=watch, daemon=True).start()


def _run_many(settings: Settings, opened: socket.socket) -> None:
    """Several processes, each made again where it dies; their counts are put together in files."""
    context = multiprocessing.get_context("spawn")

    def start() -> SpawnProcess:
        made = context.Process(target=run, args=(settings, [opened]))
        made.start()
        return made

    with tempfile.TemporaryDirectory(prefix="facespace-counts-") as folder:
        os.environ[COUNTS] = folder  # read by prometheus_client in the processes that are made
        processes = [start() for _ in range(settings.workers)]
        try:
            while True:
                wait([process.sentinel for process in processes])
                processes = [process if process.is_alive() else start() for process in processes]
                time.sleep(RESTART_S)  # one that dies at once must not keep the machine busy
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.join()
