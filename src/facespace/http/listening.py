"""A socket to listen at, and a server on it."""

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from facespace.errors import InputError

if TYPE_CHECKING:
    import uvicorn

# Connections that wait to be taken; each takes a file, of which a process may open few.
BACKLOG = 64
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any that is free.

    Raises:
        InputError: the address cannot be listened at.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no such name"
        raise InputError(f"{host}: expected an address of this machine: {reason}") from error
    try:
        # On Windows SO_REUSEADDR would let two servers share a port.
        alone = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
        listening.setsockopt(socket.SOL_SOCKET, alone, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise InputError(
            f"{host}:{port}: cannot listen there: {(error.strerror or str(error)).lower()}; "
            "name another with --port, or 0 for any"
        ) from error
    return listening


def is_local(host: str) -> bool:
    """Whether an address or name is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def server_config(app: Any, **options: Any) -> "uvicorn.Config":
    """uvicorn with patience that ends, and silent about what others send.

    Args:
        app: ASGI.
        options: of `uvicorn.Config`, in place of those here.
    """
    import uvicorn

    from facespace.http.connections import HEAD_S, Connection

    ours = {
        "http": Connection, "ws": "none", "lifespan": "off", "log_level": "error", "access_log": False,
        "backlog": BACKLOG, "server_header": False, "proxy_headers": False, "timeout_keep_alive": int(HEAD_S),
        "timeout_graceful_shutdown": 3,
    }  # fmt: skip
    return uvicorn.Config(app, **{**ours, **options})
