"""The documents cannot drift from the commands: every command and option has help, an example and its place in docs."""

import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import facespace
from facespace.cli import app

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "commands.md"


def commands() -> list[tuple[str, typer.core.TyperCommand]]:
    """All commands by their full name, such as ("evaluate lfw", ...)."""
    found = []
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        children = getattr(command, "commands", None)
        found += [(f"{name} {child}", c) for child, c in children.items()] if children else [(name, command)]
    return found


COMMANDS = commands()


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_a_command_has_help_with_an_example(name: str, command: typer.core.TyperCommand) -> None:
    assert command.help
    assert f"Example: facespace {name} " in command.help + " ", f"{name}: help without an example"


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_a_command_and_its_options_stand_in_the_reference(
    name: str, command: typer.core.TyperCommand
) -> None:
    sections = re.split(r"^## ", REFERENCE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (section,) = [s for s in sections if s.startswith(f"facespace {name}\n")]
    for parameter in command.params:
        if parameter.name == "help":
            continue
        assert getattr(parameter, "help", None), f"{name}: {parameter.name} has no help"
        for option in parameter.opts:
            shown = option if option.startswith("-") else option.upper()
            assert f"`{shown}" in section, f"docs/commands.md, {name}: {shown} is missing"


def test_the_reference_names_no_command_that_is_gone() -> None:
    named = re.findall(r"^## facespace (.+)$", REFERENCE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(named) == sorted(name for name, _ in COMMANDS)


def test_the_top_level_help_lists_the_commands() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert all(name.split()[0] in shown for name, _ in COMMANDS)


def python_blocks() -> list[tuple[str, str]]:
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        (str(path.relative_to(ROOT)), block)
        for path in documents
        for block in re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    ]


@pytest.mark.parametrize(("where", "block"), python_blocks())
def test_python_in_the_documents_compiles_and_names_what_exists(where: str, block: str) -> None:
    compile(block, where, "exec")
    for name in re.findall(r"\bfacespace\.([A-Za-z_]+)\(", block):
        assert name in facespace.__all__, f"{where}: facespace.{name} is not public"


def test_links_between_the_documents_lead_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target} is not there"
