"""`facespace serve`: a library as local web pages."""

import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from facespace.cli.console import say, warn
from facespace.cli.options import DetectorFile, ModelFile, NetworkDevice
from facespace.errors import InputError
from facespace.library import find_library
from facespace.models.devices import AUTO, candidates
from facespace.web.serving import HOST, PORT, Address
from facespace.web.serving import serve as serve_library


def serve(
    photos: Annotated[
        Path | None,
        typer.Argument(help="Folder of photos, or of a library.", show_default=False),
    ] = None,
    library: Annotated[
        Path | None, typer.Option(hidden=True, help="Name the folder of the library as PHOTOS.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. 0.0.0.0 lets other machines reach the pages.")
    ] = HOST,
    port: Annotated[int, typer.Option(help="Port. 0 takes any free one.", min=0, max=65535)] = PORT,
    token: Annotated[
        bool,
        typer.Option(
            "--token/--no-token",
            help="Let in only browsers that open a printed address. --no-token is for a machine that nobody else uses.",
        ),
    ] = True,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Host name under which browsers may reach the server. Can be given more than once.",
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Read new photos and follow the folder.")] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the pages in your browser.")] = False,
    model: ModelFile = None,
    detector: DetectorFile = None,
    device: NetworkDevice = AUTO,
) -> None:
    """Open a photo library in the browser.

    Name, merge, split, correct and search. Stop it with Ctrl-C. Nothing leaves the machine: the server listens on
    127.0.0.1, and its pages load nothing from elsewhere. The printed address lets in one browser, once; then a new one
    is printed.

    Example: facespace serve ~/Pictures
    """
    folder = library or photos
    if folder is None:
        raise InputError("expected the folder of the photos or of the library: facespace serve ~/Pictures")

    candidates(device)  # before somebody searches

    def ready(address: Address) -> None:
        if not address.local:
            warn(f"{host}: other machines can reach these faces; the connection is not encrypted")
        say(f"open {address.new_url()}  (Ctrl-C stops)")
        if open_browser:
            webbrowser.open(address.new_url())

    def entered(address: Address) -> None:
        say(f"opened in a browser; for another browser: {address.new_url()}")

    # The server has stopped by itself when the signal arrives here.
    with suppress(KeyboardInterrupt):
        serve_library(
            find_library(folder), host=host, port=port, token=token, allow_hosts=tuple(allow_host or ()), watch=watch,
            model=model, detector=detector, device=device, on_ready=ready, on_entry=entered,
        )  # fmt: skip
