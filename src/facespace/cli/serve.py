"""`facespace serve`: a library as local web pages."""

import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from facespace.cli.console import say, warn
from facespace.cli.options import DetectorFile, ModelFile
from facespace.errors import InputError
from facespace.library import find_library
from facespace.web.serving import HOST, PORT, Address
from facespace.web.serving import serve as serve_library

__all__ = ["serve"]


def serve(
    photos: Annotated[
        Path | None,
        typer.Argument(help="Folder of photos, or of a library.", show_default=False),
    ] = None,
    library: Annotated[
        Path | None, typer.Option(help="Folder of the library, if it is not the one that belongs to PHOTOS.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Any other than this machine's own asks for a token.")
    ] = HOST,
    port: Annotated[int, typer.Option(help="Port. 0 takes any free one.", min=0, max=65535)] = PORT,
    token: Annotated[
        bool, typer.Option("--token", help="Always ask for a token, on a machine that others use.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Read new photos and follow the folder.")] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
    model: ModelFile = None,
    detector: DetectorFile = None,
) -> None:
    """Open a photo library in the browser.

    Name, merge, split, correct and search. Stop it with Ctrl-C. Nothing leaves the machine: the server listens on
    127.0.0.1, and its pages load nothing from elsewhere.

    Example: facespace serve ~/Pictures
    """
    folder = library or photos
    if folder is None:
        raise InputError("expected the folder of the photos or of the library: facespace serve ~/Pictures")

    def ready(address: Address) -> None:
        if not address.local:
            warn(
                f"whoever can reach {host} and has the address below sees these faces; the connection is not encrypted"
            )
        say(f"open {address.url}  (Ctrl-C stops)")
        if open_browser:
            webbrowser.open(address.url)

    # The server has stopped by itself when the signal arrives here.
    with suppress(KeyboardInterrupt):
        serve_library(
            find_library(folder), host=host, port=port, token=token, watch=watch, model=model, detector=detector,
            on_ready=ready,
        )  # fmt: skip
