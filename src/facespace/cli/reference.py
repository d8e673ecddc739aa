"""docs/commands.md, written from the commands themselves: `python -m facespace.cli.reference > docs/commands.md`."""

import inspect
from collections.abc import Mapping
from typing import Any

import typer

from facespace.cli.app import app

__all__ = ["commands", "reference"]

HEAD = """# Commands

Every command has `--help`. Results go to stdout and everything else to stderr; `--json` prints one JSON document.
Errors are one line and exit code 2; Ctrl-C keeps what is done (exit code 130). The same calls in Python:
[python.md](python.md).
"""


def commands() -> list[tuple[str, Any]]:
    """All commands by their full name, such as "evaluate lfw"."""
    return _below("", typer.main.get_group(app).commands)


def _below(prefix: str, group: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, command in group.items():
        children = getattr(command, "commands", None)
        found += _below(f"{prefix}{name} ", children) if children else [(prefix + name, command)]
    return found


def reference() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(name, command) for name, command in commands())])


def _section(name: str, command: Any) -> str:
    body, example = inspect.cleandoc(command.help or "").split("Example:")
    lines = [f"## facespace {name}", "", body.strip(), "", f"    {example.strip()}", ""]
    lines += [_option(parameter) for parameter in command.params if parameter.name != "help"]
    return "\n".join([*lines, ""])


def _option(parameter: Any) -> str:
    is_option = parameter.opts[0].startswith("-")
    names = ", ".join(f"`{name if is_option else name.upper()}`" for name in parameter.opts)
    silent = not is_option or parameter.required or parameter.default in (None, False)
    default = "" if silent else f" Default: {parameter.default}."
    return f"- {names}: {getattr(parameter, 'help', '')}{default}"


if __name__ == "__main__":
    print(reference(), end="")
