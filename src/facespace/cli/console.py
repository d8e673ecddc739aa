"""Where output goes: results to stdout, all else to stderr; progress with rate and time left."""

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress import Task as RichTask
from rich.text import Text

from facespace.errors import DataError

__all__ = ["complain", "console", "data_folder", "progress", "say", "show_json", "warn"]

console = Console(highlight=False, soft_wrap=True)
messages = Console(stderr=True, highlight=False, soft_wrap=True)


class RateColumn(TextColumn):
    """How many a second."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: RichTask) -> Text:
        """The task's speed, empty before it is known."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="dim")


def say(text: str) -> None:
    """A line for people, not part of the result."""
    messages.print(text, markup=False)


def warn(text: str) -> None:
    """One warning line."""
    messages.print(f"facespace: warning: {_one_line(text)}", markup=False)


def complain(text: str) -> None:
    """One error line."""
    messages.print(f"facespace: error: {_one_line(text)}", markup=False)


def show_json(document: Any) -> None:
    """One JSON document on stdout; dataclasses become objects, nan becomes null."""
    json.dump(_plain(document), sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")
    sys.stdout.flush()  # a command may go on


@contextmanager
def progress(what: str) -> Iterator[Callable[..., None]]:
    """A bar on stderr; yields a function to call with (done, in all). Silent where stderr is no terminal.

    A third argument, a few words, takes the place of ``what``.

    Ctrl-C inside ends the command with exit code 130 after one line.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=messages, transient=True, disable=not messages.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        try:
            yield lambda done, total, now=what: bar.update(task, completed=done, total=total, description=now)
        except KeyboardInterrupt:
            bar.stop()
            complain("stopped; what was done is kept, and the same command goes on from there")
            raise typer.Exit(130) from None


def data_folder(named: Path | None) -> Path:
    """The data sets' folder: the option, else the environment's FACESPACE_DATA.

    Raises:
        DataError: neither is given, or it is no folder.
    """
    folder = named or (Path(os.environ["FACESPACE_DATA"]) if os.environ.get("FACESPACE_DATA") else None)
    if folder is None:
        raise DataError("expected the data sets' folder: give --data DIR, or set FACESPACE_DATA")
    if not folder.is_dir():
        raise DataError(f"{folder}: expected the data sets' folder, there is none")
    return folder


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return _plain(value.item())
    if isinstance(value, float) and value != value:
        return None
    return value
