"""The local server: a socket, a guard that fits its address, and the app."""

import hashlib
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from facespace.errors import InputError, MissingExtraError
from facespace.http.listening import LOOPBACK, is_local, listen, server_config
from facespace.models.devices import AUTO
from facespace.web.security import Sessions

if TYPE_CHECKING:
    import uvicorn

    from facespace.web.guarded import Guarded

HOST, PORT = "127.0.0.1", 8128
EVERYWHERE = ("0.0.0.0", "::")


@dataclass(frozen=True)
class Address:
    """Where a server listens.

    Attributes:
        base: the address of its first page.
        local: only this machine can reach it.
        sessions: give the codes that let browsers in; None where everybody is let in.
    """

    base: str
    local: bool
    sessions: Sessions | None = field(repr=False)

    def new_url(self) -> str:
        """The address to open in a browser; with a code of its own each time, which is good for one browser."""
        return self.base if self.sessions is None else f"{self.base}?code={self.sessions.new_code()}"


def serve(
    library: Path,
    *,
    host: str = HOST,
    port: int = PORT,
    token: bool = True,
    allow_hosts: tuple[str, ...] = (),
    watch: bool = False,
    model: Path | str | None = None,
    detector: Path | str | None = None,
    device: str = AUTO,
    on_ready: Callable[[Address], None] | None = None,
    on_entry: Callable[[Address], None] | None = None,
) -> None:
    """Serve the pages of a library until the process is interrupted.

    Args:
        library: its folder.
        host: address or name to listen at.
        port: 0 takes any that is free.
        token: let in only browsers that bring the code of a printed address.
        allow_hosts: further names by which browsers may reach the server.
        watch: read new photos at once, and follow the folder from then on.
        model: embedder for new photos and for searches by photo; the built-in one when None.
        detector: likewise.
        device: where the networks run.
        on_ready: called once the server can be asked.
        on_entry: called when a browser was let in, whose code is used up.

    Raises:
        LibraryError: there is no library there.
        InputError: the address cannot be listened at, or others could reach it without a token.
        MissingExtraError: the extra `serve` is not installed.
    """
    try:
        from facespace.library import Library
        from facespace.web.app import create_app
        from facespace.web.security import Guard
        from facespace.web.site import Site
    except ImportError as error:
        raise MissingExtraError("the local web page", "serve") from error
    local, names = is_local(host), frozenset(map(_checked_name, allow_hosts))
    if not (local or token):
        raise InputError(
            f"{host}: expected an address of this machine alone without a token; leave out --no-token"
        )
    Library(library, create=False).close()
    with listen(host, port) as listening:
        at = listening.getsockname()[1]
        sessions = Sessions(f"facespace-{at}-{_short_id(library)}") if token else None
        address = Address(_base(host, at, allow_hosts), local, sessions)
        guard = Guard(
            _hosts(host, at), names, sessions, on_entry=lambda: on_entry(address) if on_entry else None
        )
        site = Site(library, guard, model=model, detector=detector, device=device)
        site.warm()
        if watch:
            site.background.start(site.follow)
        try:
            if on_ready:
                on_ready(address)
            make_server(create_app(site)).run(sockets=[listening])
        finally:
            site.close()


def make_server(app: "Guarded") -> "uvicorn.Server":
    """A server of the pages."""
    import uvicorn

    return uvicorn.Server(server_config(app))


def _short_id(library: Path) -> str:
    return hashlib.sha256(str(library.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _checked_name(name: str) -> str:
    """As browsers send it."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", name):
        raise InputError(
            f"--allow-host: expected a name such as photos.example, without a port, got {name!r}"
        )
    return name.lower()


def _base(host: str, port: int, names: tuple[str, ...]) -> str:
    name = (*names, _own_address())[0] if host in EVERYWHERE else host
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"


def _hosts(host: str, port: int) -> frozenset[str]:
    """The Host headers that browsers send to this server, besides the address that a request comes to."""
    names = set(LOOPBACK)
    names.add(socket.gethostname() if host in EVERYWHERE else f"[{host}]" if ":" in host else host)
    bare = {name.lower() for name in names}
    return frozenset(f"{name}:{port}" for name in bare) | (bare if port == 80 else frozenset())


def _own_address() -> str:
    """The address of this machine in its network; nothing is sent to find it out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
