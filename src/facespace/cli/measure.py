"""`facespace measure NAME`: an experiment as a command, made of its options, and the report of all of them."""

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from facespace.cli.console import say, show, show_json
from facespace.cli.options import AsJson
from facespace.cli.progress import progress, show_table
from facespace.measure.cache import Cache
from facespace.measure.context import Context, Setup
from facespace.measure.experiment import Experiment, Option
from facespace.measure.markdown import write_markdown
from facespace.measure.page import write_page
from facespace.measure.plots import check_matplotlib
from facespace.measure.registry import Entry, entry
from facespace.measure.report import Made, describe, make_report
from facespace.measure.result import Result, Table, cell_text

Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", help="HTML page to write, with plots and pictures, and JSON beside it."),
]
CacheFolder = Annotated[Path | None, typer.Option(help="Folder to keep embeddings in for the next time.")]
ReportPage = Annotated[
    Path, typer.Option("-o", "--output", help="HTML page to write, with JSON and kept results beside it.")
]
Only = Annotated[
    list[str] | None, typer.Option(help="Make only this experiment, such as lfw; may be repeated.")
]
Docs = Annotated[Path | None, typer.Option(help="Write the figures as Markdown to this file as well.")]


def __getattr__(name: str) -> Any:
    """The command of an experiment, by its name."""
    if name == "report":
        return _with_signature(_report, [*_own_parameters(_report), *_parameters(Setup)])
    if name.startswith("_"):
        raise AttributeError(name)
    return command_of(entry(name))


def command_of(line: Entry) -> Any:
    """An experiment's command: its options, then those of the setup that it needs."""
    experiment = line.load()
    own = _parameters(experiment.run)

    def call(*, output: Output = None, cache: CacheFolder = None, json: AsJson = False, **given: Any) -> None:
        named = {parameter.name: _tuple(given.pop(parameter.name)) for parameter in own}
        options = {name: value for name, value in named.items() if value is not None}
        if not line.listed:
            say(f"facespace: note: `measure {line.name}` is now `measure report --only {line.name}`")
        if output:
            check_matplotlib()
        context = Context(_setup(given), Cache(cache))
        with progress(line.title) as context.on_step:
            result = experiment(context, **options)
        if output:
            _write_page(line, experiment, result, context, output)
        show_json(result.document()) if json else _show(result)

    example = f"facespace measure {line.name} {experiment.example}".strip()
    parts = (
        f"{line.title}.",
        inspect.getdoc(experiment.run),
        f"The paper: {experiment.paper}",
        f"Example: {example}",
    )
    call.__doc__ = "\n\n".join(part or "" for part in parts)
    of_setup = [parameter for parameter in _parameters(Setup) if parameter.name in experiment.needs]
    return _with_signature(call, [*own, *of_setup, *_own_parameters(call)])


def _report(
    *,
    output: ReportPage = Path("report.html"),
    only: Only = None,
    docs: Docs = None,
    json: AsJson = False,
    **given: Any,
) -> None:
    """The paper's tables and figures, all or those named by --only, as one page.

    Each has the paper's number beside ours. Finished results are kept beside the page. Run the same command again to
    resume. What --only names is printed as well.

    Example: facespace measure report --data DIR --output report.html --quick
    """
    check_matplotlib()
    setup, work = _setup(given), output.with_suffix(".parts")
    made = make_report(
        setup,
        work,
        only=only or (),
        follow=progress,
        on_made=lambda m: say(f"{m.title}. {m.result.headline}"),
    )
    document = write_page(made, output, data=setup.data)
    if docs:
        write_markdown(made, docs, command=_typed(setup, docs))
    if json:
        show_json(made)
    else:
        for part in (part for part in made.parts if part.name in (only or ())):
            show(part.title)
            _show(part.result)
    say(f"page: {output.resolve().as_uri()}")
    say(f"JSON: {document}; kept results: {work}")


def _with_signature(call: Any, chosen: list[inspect.Parameter]) -> Any:
    """``call`` as a function of these parameters."""

    def command(**given: Any) -> None:
        call(**given)

    command.__doc__ = call.__doc__
    command.__signature__ = inspect.Signature(chosen)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in chosen}
    return command


def _own_parameters(call: Any) -> list[inspect.Parameter]:
    return [p for p in inspect.signature(call).parameters.values() if p.kind is p.KEYWORD_ONLY]


def _parameters(of: Callable[..., Any]) -> list[inspect.Parameter]:
    """What ``of`` takes with an `Option`, as parameters of a command."""
    hints = get_type_hints(of, include_extras=True)
    taken = [(p, hints[p.name]) for p in inspect.signature(of).parameters.values()]
    return [_parameter(p, *get_args(hint)) for p, hint in taken if get_origin(hint) is Annotated]


def _parameter(parameter: inspect.Parameter, hint: Any, option: Option) -> inspect.Parameter:
    default = parameter.default
    if get_origin(hint) is tuple:
        (kind, _) = get_args(hint)
        hint, default = (list[kind] | None, None) if default == () else (list[kind], default)  # type: ignore[valid-type]
    shown: dict[str, Any] = {"help": option.help, "min": option.min, "max": option.max}
    if option.argument:
        info: Any = typer.Argument(show_default=False, **shown)
    else:
        info = typer.Option(option.flag or f"--{parameter.name.replace('_', '-')}", **shown)
    return parameter.replace(
        kind=inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[hint, info]
    )


def _tuple(value: Any) -> Any:
    """A list, which the command line makes of a repeated option, as the tuple that options hold."""
    return tuple(value) if isinstance(value, list) else value


def _setup(given: dict[str, Any]) -> Setup:
    """The setup; the data folder comes from the environment's FACESPACE_DATA unless given."""
    named = os.environ.get("FACESPACE_DATA")
    return Setup(**{**given, "data": given.get("data") or (Path(named) if named else None)})


def _write_page(line: Entry, experiment: Experiment, result: Result, context: Context, output: Path) -> None:
    report = describe(context, [Made(line.name, line.title, experiment.paper, result)])
    write_page(report, output, data=context.setup.data)
    say(f"page: {output.resolve().as_uri()}")


def _show(result: Result) -> None:
    show(result.headline)
    tables = [block for block in result.blocks if isinstance(block, Table)]
    for table in tables:
        show("", table.caption)
        show_table(
            [column.name for column in table.columns],
            [[cell_text(v, c) for v, c in zip(row, table.columns, strict=True)] for row in table.rows],
            right=[column.name for column in table.columns if column.kind != "text"],
        )
    show(*([""] if result.differs else []), *(f"- {text}" for text in result.differs))
    if result.remedy:
        show(f"What is missing: {result.remedy}")
    if len(tables) < len(result.blocks):
        say("plots and pictures: add --output PAGE.html")


def _typed(setup: Setup, docs: Path) -> str:
    """As a reader would type it; the data lie elsewhere for them."""
    older = " --old OLD" * len(setup.old)
    options = f"{' --quick' if setup.quick else ''}{' --runs RUNS' if setup.runs else ''}{older}"
    return f"facespace measure report --data DIR --output report.html{options} --docs {docs}"
