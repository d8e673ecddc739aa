"""The local server: a socket, a guard that fits its address, and the app."""

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from facespace.errors import InputError, MissingExtraError

__all__ = ["HOST", "PORT", "Address", "listen", "serve"]

HOST, PORT = "127.0.0.1", 8128


@dataclass(frozen=True)
class Address:
    """Where a server listens.

    Attributes:
        url: to be opened in a browser; with the token, where one is asked for.
        token: None where none is asked for.
        local: only this machine can reach it.
    """

    url: str
    token: str | None
    local: bool


def serve(
    library: Path,
    *,
    host: str = HOST,
    port: int = PORT,
    token: bool = False,
    watch: bool = False,
    model: Path | str | None = None,
    detector: Path | str | None = None,
    on_ready: Callable[[Address], None] | None = None,
) -> None:
    """Serve the pages of a library until the process is interrupted.

    Args:
        library: its folder.
        host: address or name to listen at; a token is asked for at any but this machine's own.
        port: 0 takes any that is free.
        token: ask for one here too, on a machine that others share.
        watch: read new photos at once, and follow the folder from then on.
        model: embedder for new photos and for searches by photo; the built-in one when None.
        detector: likewise.
        on_ready: called once the server can be asked.

    Raises:
        LibraryError: there is no library there.
        InputError: the address cannot be listened at.
        MissingExtraError: the extra `serve` is not installed.
    """
    try:
        import uvicorn

        from facespace.library import Library
        from facespace.web.photo_work import follow
        from facespace.web.security import Guard
        from facespace.web.site import Site, create_app
    except ImportError as error:
        raise MissingExtraError("the local web page", "serve") from error
    Library(library, create=False).close()
    with listen(host, port) as listening:
        at = listening.getsockname()[1]
        address = _address(host, at, asks=token)
        site = Site(library, Guard(_hosts(host, at), address.token), model=model, detector=detector)
        site.warm()
        if watch:
            site.background.start(follow(site))
        try:
            if on_ready:
                on_ready(address)
            config = uvicorn.Config(
                create_app(site), log_level="warning", access_log=False, server_header=False, lifespan="off",
                timeout_graceful_shutdown=3,
            )  # fmt: skip
            uvicorn.Server(config).run(sockets=[listening])
        finally:
            site.close()


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any that is free.

    Raises:
        InputError: the address cannot be listened at.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InputError(f"{host}: expected an address of this machine: {error.strerror}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise InputError(
            f"{host}:{port}: cannot listen there: {(error.strerror or str(error)).lower()}; "
            "name another with --port, or 0 for any"
        ) from error
    return listening


def _address(host: str, port: int, *, asks: bool) -> Address:
    local = _is_local(host)
    secret = secrets.token_urlsafe(24) if asks or not local else None
    name = socket.gethostname() if host in EVERYWHERE else host
    shown = f"[{name}]" if ":" in name else name
    return Address(f"http://{shown}:{port}/" + (f"?token={secret}" if secret else ""), secret, local)


EVERYWHERE = ("0.0.0.0", "::")


def _hosts(host: str, port: int) -> frozenset[str]:
    """The Host headers that browsers send to this server."""
    names = {host, "127.0.0.1", "localhost", "[::1]"}
    if host in EVERYWHERE:
        names |= {socket.gethostname(), *_own_addresses()}
    shown = {f"[{name}]" if ":" in name and not name.startswith("[") else name for name in names}
    return frozenset(f"{name.lower()}:{port}" for name in shown)


def _own_addresses() -> set[str]:
    try:
        found = socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        return set()
    return {str(entry[4][0]) for entry in found}


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
