"""The documents cannot drift from the commands: every command and option has help, an example and its place in docs."""

import ast
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import facespace
from facespace.cli import app
from facespace.cli.reference import commands, reference

ROOT = Path(__file__).parents[1]


COMMANDS = commands()


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_a_command_has_help_with_an_example(name: str, command: Any) -> None:
    assert command.help
    assert f"Example: facespace {name} " in command.help + " ", f"{name}: help without an example"


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_option_has_help(name: str, command: Any) -> None:
    for parameter in command.params:
        assert parameter.name == "help" or parameter.help, f"{name}: {parameter.name} has no help"


def test_the_reference_is_what_the_commands_say() -> None:
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == reference(), "run: python -m facespace.cli.reference > docs/commands.md"


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


def test_the_reference_of_the_api_has_every_public_name() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    listed = [line.removeprefix("::: ") for line in page.splitlines() if line.startswith("::: ")]
    assert sorted(path.rpartition(".")[2] for path in listed) == facespace.__all__
    for path in listed:
        module, _, name = path.rpartition(".")
        assert getattr(import_module(module), name) is getattr(facespace, name)


# Old names of options, columns and functions are code.
CODE = re.compile(r"```.*?```|`[^`]*`|--[a-z-]+|\{[{%].*?[%}]\}|<[^>]*>", re.DOTALL)
GENERATED = ("cluster_scores.md", "reproduction.md")


def words_not_to_write() -> list[str]:
    """The first column of the table in CONTRIBUTING.md."""
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("| do not write |")[2]
    cells = [line.split("|")[1] for line in table.splitlines()[2:] if line.startswith("|")]
    return [word.strip() for cell in cells for word in cell.split(",")]


PAGES = [ROOT / "README.md", *(p for p in sorted((ROOT / "docs").glob("*.md")) if p.name not in GENERATED)]
TEMPLATES = sorted(Path(facespace.__file__).parent.rglob("*.html*"))


@pytest.mark.parametrize("path", [*PAGES, *TEMPLATES], ids=lambda path: path.name)
def test_documents_and_pages_use_the_terms_of_the_field(path: Path) -> None:
    text = CODE.sub("", path.read_text(encoding="utf-8"))
    found = [
        word for word in words_not_to_write() if re.search(rf"\b{re.escape(word)}s?\b", text, re.IGNORECASE)
    ]
    assert not found, f"{path.name}: write the terms of CONTRIBUTING.md in place of {', '.join(found)}"


def messages(path: Path) -> list[tuple[int, str]]:
    """The texts of errors that a module raises, with their lines."""
    raised = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Raise)]
    texts = [node for error in raised for node in ast.walk(error) if isinstance(node, ast.Constant)]
    return [(text.lineno, text.value) for text in texts if isinstance(text.value, str)]


def test_errors_use_the_terms_of_the_field() -> None:
    banned = re.compile(rf"\b(?:{'|'.join(map(re.escape, words_not_to_write()))})s?\b", re.IGNORECASE)
    package = Path(facespace.__file__).parent
    found = [
        f"{path.relative_to(package)}:{line}: {text}"
        for path in package.rglob("*.py")
        for line, text in messages(path)
        if banned.search(CODE.sub("", text))
    ]
    assert not found, "\n".join(["write the terms of CONTRIBUTING.md:", *found])


def test_the_list_of_words_is_read() -> None:
    assert {"stranger", "pile", "goes on with"} <= set(words_not_to_write())
