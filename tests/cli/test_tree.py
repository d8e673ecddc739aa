"""The command tree: what the help says without loading a command, and that old options still work."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from facespace.cli import app
from facespace.cli.reference import commands
from facespace.cli.tree import TREE, Command, Group

LOADED = dict(commands())


def lines(group: Group, prefix: str = "") -> list[tuple[str, Command]]:
    found = []
    for name, line in group.commands().items():
        found += lines(line, f"{prefix}{name} ") if isinstance(line, Group) else [(prefix + name, line)]
    return found


@pytest.mark.parametrize(("name", "line"), lines(TREE), ids=[name for name, _ in lines(TREE)])
def test_the_line_in_the_tree_is_the_first_of_the_commands_help(name: str, line: Command) -> None:
    if name in LOADED:
        assert LOADED[name].help.splitlines()[0] == line.help


def test_the_help_loads_no_command() -> None:
    code = (
        "import sys; from facespace.cli.app import run; run(['--help']);"
        "print([m for m in ('numpy', 'rich', 'PIL', 'sqlite3') if m in sys.modules], file=sys.stderr)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stderr.strip() == "[]"
    assert all(heading in shown.stdout for heading in TREE.sections)


@pytest.mark.parametrize("name", LOADED)
def test_the_help_names_no_types_of_python(name: str) -> None:
    shown = CliRunner().invoke(app, [*name.split(), "--help"])
    assert shown.exit_code == 0 and "Example: facespace" in shown.stdout and "list[" not in shown.stdout


def test_a_group_alone_shows_its_help() -> None:
    shown = CliRunner().invoke(app, ["library"])
    assert shown.exit_code == 0 and "import-names" in shown.stdout


def test_old_options_become_the_new_ones(tmp_path: Path) -> None:
    shown = CliRunner().invoke(
        app, ["cluster", str(tmp_path / "no"), "-o", str(tmp_path / "a.csv"), "--strangers=5"]
    )
    assert not isinstance(shown.exception, SystemExit), shown.output


def test_a_choice_that_is_none_is_named_with_the_others() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "facespace", "measure", "lfw", "--mode", "left"],
        capture_output=True,
        text=True,
    )
    assert shown.returncode == 2 and shown.stderr.startswith(
        "facespace: error: invalid value for '--mode': 'left' is"
    )
    assert "'detector', 'centre', 'both'" in shown.stderr


def test_a_slip_names_what_is_near() -> None:
    shown = CliRunner().invoke(app, ["peopel"])
    assert shown.exit_code == 2 and "Did you mean 'people'" in shown.output
    assert typer.BadParameter.__mro__[1].__name__ == "UsageError"
