"""`facespace serve`: a library as local web pages."""

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from facespace.cli.console import say, warn
from facespace.cli.options import DetectorFile, ModelFile
from facespace.web.serving import HOST, PORT, Address

__all__ = ["serve"]


def serve(
    photos: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of photos whose library it is, or the library's own.", show_default=False
        ),
    ] = None,
    library: Annotated[Path | None, typer.Option(help="The same, as an option.")] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; others than this machine's own ask for a token.")
    ] = HOST,
    port: Annotated[int, typer.Option(help="Port; 0 takes any that is free.", min=0, max=65535)] = PORT,
    token: Annotated[
        bool, typer.Option("--token", help="Ask for a token here too, on a machine that others use.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Read new photos, and follow their folder.")] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
    model: ModelFile = None,
    detector: DetectorFile = None,
) -> None:
    """Look at a library in the browser: name, merge, split, correct, search. Stop it with Ctrl-C.

    Nothing leaves the machine: the server listens at 127.0.0.1 and its pages name no other address.

    Example: facespace serve ~/Pictures
    """
    from facespace.library import find_library
    from facespace.web.serving import serve as serve_library

    folder = photos or library
    if folder is None or (photos and library):
        raise typer.BadParameter("expected one folder: of the photos, or of the library")

    def ready(address: Address) -> None:
        if not address.local:
            warn(
                f"anybody who can reach {host} and has the address below sees these faces, over a connection that is "
                "not encrypted"
            )
        say(f"open {address.url}  (Ctrl-C ends)")
        if open_browser:
            import webbrowser

            webbrowser.open(address.url)

    # The server has ended by itself when the signal comes here.
    with suppress(KeyboardInterrupt):
        serve_library(
            find_library(folder),
            host=host,
            port=port,
            token=token,
            watch=watch,
            model=model,
            detector=detector,
            on_ready=ready,
        )
