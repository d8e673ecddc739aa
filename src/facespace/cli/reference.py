"""docs/commands.md, written from the commands themselves: `python -m facespace.cli.reference > docs/commands.md`."""

import inspect
from typing import Any

import typer

from facespace.cli.app import app

HEAD = """# Commands

Every command has `--help`. Results go to stdout, everything else to stderr. `--json` prints one JSON document. An error
is one line and exit code 2. Ctrl-C keeps what is done (exit code 130). The same calls in Python:
[python.md](python.md).

A face is named `PHOTO#K`: the K-th face of the photo, counted from the left, from 1. `PHOTO` alone will do if it shows
one face. Of a video, `VIDEO#K` is the K-th appearance by time.
"""


def commands() -> list[tuple[str, Any]]:
    """All commands by their full name, such as "library name"."""
    return _below("", typer.main.get_group(app))


def _below(prefix: str, group: Any) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        is_group = hasattr(command, "list_commands")
        found += _below(f"{prefix}{name} ", command) if is_group else [(prefix + name, command)]
    return found


def reference() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(name, command) for name, command in commands())])


def _section(name: str, command: Any) -> str:
    body, example = inspect.cleandoc(command.help or "").split("Example:")
    lines = [f"## facespace {name}", "", body.strip(), "", f"    {example.strip()}", ""]
    lines += [_option(parameter) for parameter in command.params if _is_shown(parameter)]
    return "\n".join([*lines, ""])


def _is_shown(parameter: Any) -> bool:
    return parameter.name != "help" and not getattr(parameter, "hidden", False)


def _option(parameter: Any) -> str:
    is_option = parameter.opts[0].startswith("-")
    names = ", ".join(f"`{name if is_option else name.upper()}`" for name in parameter.opts)
    silent = not is_option or parameter.required or parameter.default in (None, False)
    default = "" if silent else f" Default: {parameter.default}."
    return f"- {names}: {getattr(parameter, 'help', '')}{default}"


if __name__ == "__main__":
    print(reference(), end="")
