"""The command line from its first to its last moment, and its one place for errors."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from facespace import __version__
from facespace.cli.console import complain
from facespace.cli.tree import TREE, LazyGroup
from facespace.errors import FacespaceError

STOPPED = 130
BROKEN_PIPE = 141
# What the parser raises for a slip, wherever this version of typer keeps it.
SLIP: type[Exception] = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="facespace",
    cls=LazyGroup,
    help=TREE.help,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"facespace {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Face embeddings: group photos by person, verify, identify, search, train and measure.

    Example: facespace people ~/Pictures
    """


def main() -> None:
    """Run the command line and end the process."""
    signal.signal(signal.SIGTERM, _stop)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            # Bytes of file names that are no text must not stop a run.
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(run(_expanded(sys.argv[1:])))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; every error that a person can cause is one line and exit code 2."""
    try:
        if sys.stdout is None:
            raise OSError("standard output is closed; send it to a file or to /dev/null")
        code = _call(list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        code = BROKEN_PIPE
    except (KeyboardInterrupt, typer.Abort):
        complain("stopped; what is done is kept. Run the same command again to resume")
        code = STOPPED
    except (FacespaceError, OSError, RuntimeError, MemoryError) as error:
        complain(_explained(error))
        code = 2
    _let_go_of_stdout()
    return code


def _explained(error: Exception) -> str:
    if isinstance(error, FacespaceError):
        return str(error)
    if isinstance(error, MemoryError):
        return "out of memory; give it fewer or smaller files, or --workers 1"
    if isinstance(error, RuntimeError):
        if not isinstance(error.__context__, OSError):
            raise error
        return _of_system(error.__context__)  # of links in a circle, as pathlib tells it
    assert isinstance(error, OSError)
    return _of_system(error)


def _call(arguments: list[str]) -> int:
    command = typer.main.get_command(app)
    try:
        with command.make_context("facespace", arguments) as context:
            command.invoke(context)
    except typer.Exit as done:
        return done.exit_code
    except SLIP as slip:
        place = getattr(slip, "ctx", None)
        complain(f"{_message(slip)} See `{place.command_path if place else 'facespace'} --help`")
        return 2
    return 0


def _message(slip: Exception) -> str:
    # pydantic, by which typer checks choices, begins their errors with words of its own.
    text = str(slip.format_message()).replace("Value error, ", "").strip()  # type: ignore[attr-defined]
    return text[:1].lower() + text[1:] + ("" if text.endswith((".", "?")) else ".")


def _of_system(error: OSError) -> str:
    if error.strerror is None:
        return str(error)
    where = ", ".join(os.fsdecode(name) for name in (error.filename, error.filename2) if name is not None)
    return f"{where}: {error.strerror}" if where else f"{error.strerror} while reading or writing"


def _let_go_of_stdout() -> None:
    """Lose what cannot be written, so that the interpreter does not try again when it ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _expanded(arguments: Sequence[str]) -> list[str]:
    """The shell of Windows leaves `*.jpg` to the program."""
    if os.name != "nt":
        return list(arguments)
    return [name for argument in arguments for name in _matches(argument)]


def _matches(argument: str) -> list[str]:
    path = Path(argument)
    found = sorted(map(str, path.parent.glob(path.name))) if set("*?") & set(path.name) else []
    return found or [argument]


def _stop(*_: object) -> None:
    """As Ctrl-C does; not by raising SIGINT, which jobs that a script starts in the background ignore."""
    raise KeyboardInterrupt
