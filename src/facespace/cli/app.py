"""The command tree and its one place for errors."""

import signal
import sys
from typing import Annotated

import typer

from facespace import __version__
from facespace.cli import (
    bench,
    corrections,
    evaluate,
    export,
    faces,
    gallery,
    harmonic,
    import_names,
    measure,
    models,
    people,
    reproduce,
    serve,
    sweep,
    train,
    verify,
)
from facespace.cli.console import complain
from facespace.errors import FacespaceError

__all__ = ["app", "main"]

app = typer.Typer(
    name="facespace",
    help="Faces as points of a space in which distance says how alike they are.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(people.people)
app.command()(serve.serve)
corrections.register(app)
app.command()(import_names.import_names)
app.command()(verify.verify)
app.command()(faces.embed)
app.command()(faces.cluster)
app.command()(faces.export_table)
app.add_typer(gallery.app, name="gallery")
evaluate.app.add_typer(sweep.app, name="sweep")
app.add_typer(evaluate.app, name="evaluate")
app.command()(reproduce.reproduce)
app.add_typer(measure.app, name="measure")
app.command()(train.train)
app.command()(harmonic.harmonise)
app.command()(export.export)
app.add_typer(models.app, name="models")
app.command()(bench.bench)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"facespace {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and stop.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Faces as points of a space in which distance says how alike they are.

    Example: facespace people ~/Pictures
    """


def _stop(*_: object) -> None:
    """As Ctrl-C does; not by raising SIGINT, which jobs that a script starts in the background ignore."""
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; errors that facespace raises on purpose become one line and exit code 2."""
    signal.signal(signal.SIGTERM, _stop)
    for stream in (sys.stdout, sys.stderr):
        # Bytes of file names that are no text must not stop a run.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        app(standalone_mode=True)
    except FacespaceError as error:
        complain(str(error))
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(141)
