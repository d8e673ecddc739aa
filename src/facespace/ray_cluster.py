"""A Ray cluster: found and joined, or started here, and how much of it there is."""

import os
import re
import signal
import socket
import warnings
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from types import ModuleType
from typing import Any

from facespace.errors import FacespaceError, InputError, MissingExtraError, WorkersError

HERE = "ray"
THREADS_PER_TASK = 4
THREADS_PER_GPU = 8
ANSWER_S = 10.0


@dataclass(frozen=True)
class Shape:
    """What a task takes of a machine."""

    threads: int
    gpus: int = 0


def check_address(address: str) -> None:
    """Fail unless an address has one of the known forms.

    Raises:
        InputError: it has not.
    """
    if address != HERE and not re.fullmatch(r"(ray://)?[^/:\s]+:\d+", address):
        raise InputError(
            f"on: expected ray (this machine), ray://HOST:10001 or HOST:6379, got '{address}'; "
            "a cluster is started by `ray start --head`"
        )


def load_ray() -> ModuleType:
    token = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
    if any(name in os.environ for name in token) or (Path.home() / ".ray" / "auth_token").exists():
        # As `ray start` does; a client of a cluster that asks for a token must know it before ray is loaded.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("work on a Ray cluster", "ray") from error
    return ray


def connect(ray: ModuleType, address: str, n: int | None) -> None:
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == HERE:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        options |= {"address": "local", "include_dashboard": False, "num_cpus": n or os.cpu_count()}
    else:
        _ask(address)
        options["address"] = address
    stop = signal.getsignal(signal.SIGTERM)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they become one error, or none
            ray.init(**options)
    except Exception as error:  # of many kinds, some for other versions of Python or Ray there
        raise WorkersError(
            f"{address}: expected a Ray cluster of this version of Python and Ray, and its token in "
            f"RAY_AUTH_TOKEN or ~/.ray/auth_token; met: {last_line(error)}"
        ) from error
    finally:
        with suppress(ValueError):  # not in the main thread, where Ray sets none either
            signal.signal(signal.SIGTERM, stop)


def _ask(address: str) -> None:
    """Whether anybody answers, at once and in one line; Ray itself would try for a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER_S).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise WorkersError(
            f"{address}: expected a Ray cluster, nothing answers there ({reason.lower()}); "
            "start one by `ray start --head`, or see `ray status`"
        ) from error


def shapes_of(nodes: list[dict[str, Any]], n: int | None) -> Counter[Shape]:
    """The tasks that machines have room for: one a GPU, or one for a few processors; ``n`` threads at most."""
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    processors = [int(one.get("CPU", 0)) for one in alive if one.get("CPU", 0) >= 1]
    threads = max(1, min([THREADS_PER_TASK, *processors, *([n] if n else [])]))
    found: Counter[Shape] = Counter()
    for one in alive:
        cpus, gpus = int(one.get("CPU", 0)), int(one.get("GPU", 0))
        if gpus and cpus >= gpus:
            found[Shape(min(THREADS_PER_GPU, cpus // gpus), 1)] += gpus
        elif cpus:
            found[Shape(threads)] += cpus // threads
    if not found:
        found[Shape(threads)] = 1  # an autoscaler brings up a machine for it
    left = n or sum(shape.threads * count for shape, count in found.items())
    for shape in sorted(found, key=lambda shape: (-shape.gpus, -shape.threads)):
        found[shape] = min(found[shape], ceil(max(left, 0) / shape.threads))
        left -= found[shape] * shape.threads
    return found


def first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines and not isinstance(error, FacespaceError) else type(error).__name__


def last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
