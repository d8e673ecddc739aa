"""Where output goes: results to stdout, all else to stderr. Names and file names are made safe to print here alone."""

import dataclasses
import json
import os
import sys
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from facespace.errors import DataError, InputError

if TYPE_CHECKING:
    from facespace.models import ModelSpec

# Control characters, formats such as the direction of writing, lone surrogates; names and emoji need the joiners.
UNSAFE = ("Cc", "Cf", "Cs")
JOINERS = "\u200c\u200d"


def show(*lines: str) -> None:
    """Lines of the result."""
    for line in lines:
        print(readable(line))


def say(text: str) -> None:
    """A line for people, not part of the result."""
    print(readable(text), file=sys.stderr)


def warn(text: str) -> None:
    """One warning line."""
    say(f"facespace: warning: {_one_line(text)}")


def complain(text: str) -> None:
    """One error line."""
    say(f"facespace: error: {_one_line(text)}")


def show_json(document: Any) -> None:
    """One JSON document on stdout; dataclasses become objects, nan becomes null."""
    json.dump(_plain(document), sys.stdout, indent=2, allow_nan=False)
    sys.stdout.write("\n")
    sys.stdout.flush()  # a command may go on


def answer(document: Any, *lines: str, json: bool) -> None:
    """The result: a JSON document for scripts, or lines for people."""
    show_json(document) if json else show(*lines)


def readable(text: str) -> str:
    """The text with everything escaped that a terminal obeys or does not show: control characters, lone surrogates."""
    return "".join(_escaped(c) if unicodedata.category(c) in UNSAFE and c not in JOINERS else c for c in text)


def agreed(question: str, *, yes: bool) -> None:
    """Go on only with a yes, given before or now.

    Raises:
        InputError: the answer is no, or there is nobody to ask.
    """
    try:
        if yes or typer.confirm(readable(question), err=True):
            return
    except typer.Abort:
        if sys.stdin.isatty():  # Ctrl-C, not the end of a file
            raise
    raise InputError("nothing was deleted: it needs your yes, on the terminal or by --yes")


def among(population: str | None, spec: "ModelSpec") -> str:
    """The end of a sentence about a rate: among whom it was measured, where the model says it."""
    named = population_of(population, spec)
    return f", population: {named}" if named else ""


def population_of(population: str | None, spec: "ModelSpec") -> str | None:
    """The one that is asked for, else that of the model's own distances; None where the model names none."""
    return population or next(iter(spec.populations), None)


def data_folder(named: Path | None) -> Path:
    """The data sets' folder: the option, else the environment's FACESPACE_DATA.

    Raises:
        DataError: neither is given, or it is no folder.
    """
    folder = named or (Path(os.environ["FACESPACE_DATA"]) if os.environ.get("FACESPACE_DATA") else None)
    if folder is None:
        raise DataError("expected the folder of the data sets: give --data DIR, or set FACESPACE_DATA")
    if not folder.is_dir():
        raise DataError(f"{folder}: expected the folder of the data sets, there is no such folder")
    return folder


def _escaped(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


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
