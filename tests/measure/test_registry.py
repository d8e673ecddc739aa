"""Every experiment of the list: it loads, its options have a default and a help text, and it becomes a command."""

import dataclasses
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Annotated, get_type_hints

import pytest
from typer.testing import CliRunner

from facespace.cli import app
from facespace.errors import InputError
from facespace.measure.context import Context, Setup
from facespace.measure.experiment import Experiment, Option
from facespace.measure.markdown import experiments_table
from facespace.measure.registry import ENTRIES, HEADINGS, Entry, load
from facespace.measure.report import in_report
from facespace.measure.result import MEASURED, NOT_RUN, Column, Result, Table, not_run


@pytest.mark.parametrize("line", ENTRIES, ids=lambda line: line.name)
def test_each_experiment_is_complete(line: Entry) -> None:
    experiment = line.load()
    assert line.heading in HEADINGS and experiment.paper.endswith(".") and experiment.run.__doc__
    options = list(inspect.signature(experiment.run).parameters)[1:]
    hints = get_type_hints(experiment.run, include_extras=True)
    assert all(hints[name].__metadata__[0].help[-1] in ".?" for name in options)
    assert set(experiment.needs) <= {field.name for field in dataclasses.fields(Setup)}
    if experiment.report is not None:
        assert set(experiment.report) <= set(options)
    help_text = CliRunner().invoke(app, ["measure", line.name, "--help"]).stdout
    assert "Example: facespace measure" in help_text and "--json" in help_text


def test_names_are_used_once_and_another_is_refused() -> None:
    names = [line.name for line in ENTRIES]
    assert len(names) == len(set(names)) and in_report()
    with pytest.raises(InputError, match="expected one of"):
        load("lwf")


def test_the_list_of_commands_loads_no_experiment() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from facespace.cli import app\n"
        "print(CliRunner().invoke(app, ['measure', '--help']).stdout)\n"
        "print([m for m in sys.modules if m.startswith('facespace.measure.ex') or m == 'onnxruntime'])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Protocols:" in run.stdout and run.stdout.strip().endswith("[]")


def made(context: Context) -> Result:
    """Count to two."""
    table = Table("By size.", (Column("size"), Column("VAL", "percent")), (("small", 0.5), ("large", None)))
    return Result(
        MEASURED, "Two of them.", (table,), ("Other data.",), figures={"n": 2, "tar": {"1e-3": None}}
    )


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = Experiment(paper="The paper counts.", run=made, needs=("model",))
    monkeypatch.setattr(Entry, "load", lambda line: experiment)


def call(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["measure", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), [(), (1, 2), False]),
        (("--names", "a", "--names", "b", "--near"), [("a", "b"), (1, 2), True]),
        (("--size", "3"), [(), (3,), False]),
    ],
)
def test_options_come_as_the_function_takes_them(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], expected: list[object]
) -> None:
    def run(
        context: Context,
        *,
        names: Annotated[tuple[str, ...], Option("May be repeated.")] = (),
        sizes: Annotated[tuple[int, ...], Option("May be repeated.", flag="--size")] = (1, 2),
        near: Annotated[bool, Option("Switch.")] = False,
    ) -> Result:
        """Say what was asked for."""
        return Result(MEASURED, "", figures={"same": [names, sizes, near] == expected})

    experiment = Experiment(paper="", run=run, needs=())
    monkeypatch.setattr(Entry, "load", lambda line: experiment)
    assert json.loads(call("holdout", *arguments, "--json"))["same"]


@pytest.mark.usefixtures("counted")
def test_a_result_is_shown_as_text_as_json_and_as_a_page(tmp_path: Path) -> None:
    text = call("holdout", "-o", tmp_path / "page.html")
    assert "Two of them." in text and "50.0 %" in text and "- Other data." in text
    page = (tmp_path / "page.html").read_text()
    assert "Two of them." in page and "The paper counts." in page
    document = json.loads(call("holdout", "--json"))
    assert list(document)[:2] == ["n", "tar"] and document["headline"] == "Two of them."
    assert document["blocks"][0]["rows"] == [["small", 0.5], ["large", None]]


def test_what_was_not_run_says_what_to_do() -> None:
    result = not_run("No data.", remedy="get some")
    assert (result.status, result.remedy, result.blocks) == (NOT_RUN, "get some", ())
    assert Result.from_json(result.to_json()) == result


def test_the_documents_list_every_experiment() -> None:
    page = Path(__file__).parents[2] / "docs" / "measure.md"
    written = page.read_text(encoding="utf-8").split("<!-- experiments -->\n")[1]
    assert written == experiments_table() + "\n", (
        "write `experiments_table()` of facespace.measure.markdown there"
    )
