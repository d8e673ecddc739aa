"""`facespace measure report`: every table and figure of the paper as one page."""

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from facespace.cli.console import progress, say, show_json
from facespace.cli.experiment import parameters, setup_of, single_command
from facespace.cli.options import AsJson
from facespace.measure.context import Setup
from facespace.measure.markdown import write_markdown
from facespace.measure.page import write_page
from facespace.measure.plots import check_matplotlib
from facespace.measure.report import Made, make_report

__all__ = ["command"]

Output = Annotated[
    Path,
    typer.Option(
        "-o", "--output", "--out", help="HTML page to write; its JSON and kept results lie beside it."
    ),
]
Only = Annotated[
    list[str] | None, typer.Option(help="Make only this experiment, such as quality; may be repeated.")
]
Docs = Annotated[Path | None, typer.Option(help="Write the figures as Markdown to this file as well.")]


def command() -> Any:
    """The command with the options of the setup."""
    own = [p for p in inspect.signature(report).parameters.values() if p.name != "given"]
    chosen = [*own, *parameters(Setup, fields(Setup))]
    return single_command("report", report, chosen, help_text=inspect.getdoc(report) or "")


def report(
    *,
    output: Output = Path("report.html"),
    only: Only = None,
    docs: Docs = None,
    json: AsJson = False,
    **given: Any,
) -> None:
    """All tables and figures of the paper with its number beside ours, as one HTML page and the JSON behind it.

    Finished results are kept beside the page. Run the same command again to continue.

    Example: facespace measure report --data DIR --output report.html --quick
    """
    check_matplotlib()
    setup, work = setup_of(given), output.with_suffix(".parts")
    made = make_report(setup, work, only=only or (), follow=progress, on_made=_say_made)
    document = write_page(made, output, data=setup.data)
    if docs:
        write_markdown(made, docs, command=_typed(setup, docs))
    if json:
        show_json(made)
    say(f"page: {output.resolve().as_uri()}")
    say(f"JSON: {document}; kept results: {work}")


def _say_made(made: Made) -> None:
    say(f"{made.title}. {made.result.headline}")


def _typed(setup: Setup, docs: Path) -> str:
    """As a reader would type it; the data lie elsewhere for them."""
    options = f"{' --quick' if setup.quick else ''}{' --runs RUNS' if setup.runs else ''}"
    return f"facespace measure report --data DIR --output report.html{options} --docs {docs}"
