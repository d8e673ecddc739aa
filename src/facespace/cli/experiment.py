"""An experiment as a command: options from its dataclass, tables for people, one JSON document, or a page."""

import inspect
import os
from collections.abc import Iterable
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from rich.table import Table as Grid

from facespace.cli.console import console, progress, say, show_json
from facespace.cli.options import AsJson
from facespace.measure.cache import Cache
from facespace.measure.context import Context, Setup
from facespace.measure.experiment import Experiment, field_docs
from facespace.measure.page import write_page
from facespace.measure.plots import check_matplotlib
from facespace.measure.registry import Entry
from facespace.measure.report import Made, describe
from facespace.measure.result import Result, Table
from facespace.measure.text import cell_text

__all__ = ["command", "parameters", "setup_of", "single_command"]

Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", help="HTML page to write, with plots and pictures; its JSON lies beside it."
    ),
]
CacheFolder = Annotated[
    Path | None, typer.Option(help="Folder to keep embeddings in and take them from; none unless given.")
]


def command(line: Entry) -> Any:
    """The experiment's command: its options, then those of the setup that it needs."""
    experiment = line.load()
    own = [field.name for field in fields(experiment.options)]

    def call(*, output: Path | None, cache: Path | None, json: bool, **given: Any) -> None:
        options = experiment.options(**{name: _tuple(given.pop(name)) for name in own})
        if output:
            check_matplotlib()
        context = Context(setup_of(given), Cache(cache))
        with progress(line.title) as on_step:
            context.on_step = on_step
            result = experiment.run(options, context)
        if output:
            _write_page(line, experiment, result, context, output)
        show_json(result.document()) if json else _show(result)

    needed = [field for field in fields(Setup) if field.name in experiment.needs]
    chosen = [
        *parameters(experiment.options, fields(experiment.options)),
        *parameters(Setup, needed),
        _parameter("output", Output, None),
        _parameter("cache", CacheFolder, None),
        _parameter("json", AsJson, False),
    ]
    text = f"{inspect.getdoc(experiment.run)}\n\n{line.title}. The paper: {experiment.paper}"
    example = f"facespace measure {line.name} {experiment.example}".strip()
    return single_command(line.name, call, chosen, help_text=f"{text}\n\nExample: {example}")


def single_command(name: str, call: Any, chosen: list[inspect.Parameter], *, help_text: str) -> Any:
    """A command of ``call`` whose parameters are ``chosen``."""

    def shown(**given: Any) -> None:
        call(**given)

    shown.__signature__ = inspect.Signature(chosen)  # type: ignore[attr-defined]
    shown.__annotations__ = {parameter.name: parameter.annotation for parameter in chosen}
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name, help=help_text)(shown)
    return typer.main.get_command(single)


def parameters(options: type[Any], chosen: Iterable["Field[Any]"]) -> list[inspect.Parameter]:
    """Fields of a dataclass as parameters of a command; the docstring's "Attributes:" are their help."""
    docs, hints = field_docs(options), get_type_hints(options)
    return [_field_parameter(field, hints[field.name], docs[field.name]) for field in chosen]


def setup_of(given: dict[str, Any]) -> Setup:
    """The setup; the data folder comes from the environment's FACESPACE_DATA unless given."""
    named = os.environ.get("FACESPACE_DATA")
    return Setup(**{**given, "data": given.get("data") or (Path(named) if named else None)})


def _field_parameter(field: "Field[Any]", hint: Any, text: str) -> inspect.Parameter:
    facts = field.metadata
    default = inspect.Parameter.empty if field.default is MISSING else field.default
    if get_origin(hint) is tuple:
        (kind, _) = get_args(hint)
        hint, default = (list[kind] | None, None) if default == () else (list[kind], default)  # type: ignore[valid-type]
    limits = {name: facts[name] for name in ("min", "max") if facts.get(name) is not None}
    if facts.get("argument"):
        info: Any = typer.Argument(help=text, show_default=False, **limits)
    else:
        info = typer.Option(facts.get("flag") or f"--{field.name.replace('_', '-')}", help=text, **limits)
    return _parameter(field.name, Annotated[hint, info], default)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _tuple(value: Any) -> Any:
    """A list, which the command line makes of a repeated option, as the tuple that options hold; none as ()."""
    return tuple(value) if isinstance(value, list) else value


def _write_page(
    line: Entry, experiment: Experiment[Any], result: Result, context: Context, output: Path
) -> None:
    report = describe(context, [Made(line.name, line.title, experiment.paper, result)])
    write_page(report, output, data=context.setup.data)
    say(f"page: {output.resolve().as_uri()}")


def _show(result: Result) -> None:
    console.print(result.headline, markup=False)
    tables = [block for block in result.blocks if isinstance(block, Table)]
    for table in tables:
        console.print()
        console.print(_grid(table))
    console.print()
    for text in result.differs:
        console.print(f"- {text}", markup=False)
    if result.remedy:
        console.print(f"What is missing: {result.remedy}", markup=False)
    if len(tables) < len(result.blocks):
        say("plots and pictures: add --output PAGE.html")


def _grid(table: Table) -> Grid:
    grid = Grid(box=None, pad_edge=False, title=table.caption, title_justify="left", title_style="")
    for column in table.columns:
        grid.add_column(column.name, justify="left" if column.kind == "text" else "right")
    for row in table.rows:
        grid.add_row(*(cell_text(value, column) for value, column in zip(row, table.columns, strict=True)))
    return grid
