"""`facespace reproduce`: every table and figure of the paper, measured again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facespace.cli.console import data_folder, progress, say, show_json
from facespace.cli.options import AsJson, Data, DetectorFile, ModelFile, Workers

if TYPE_CHECKING:
    from facespace.reproduce import MadePart

__all__ = ["reproduce"]


def reproduce(
    data: Data = None,
    out: Annotated[
        Path, typer.Option(help="HTML page to write; its JSON and cached results lie beside it.")
    ] = Path("report.html"),
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Train nothing; ends within 15 minutes on two cores with the shipped models."
        ),
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="Make only this part, such as table4; may be repeated.")
    ] = None,
    runs: Annotated[
        Path | None,
        typer.Option(help="Folder of run folders of `facespace train`, for Table 3 and Figures 4 and 5."),
    ] = None,
    budget: Annotated[
        int,
        typer.Option(
            min=1, help="Faces that each run of a trained sweep sees, repeated ones counted each time."
        ),
    ] = 200_000,
    device: Annotated[
        str, typer.Option(help="Where sweeps are trained: cpu, cuda or another name of torch's.")
    ] = "cpu",
    docs: Annotated[
        Path | None, typer.Option(help="Write the figures as Markdown to this file as well.")
    ] = None,
    model: ModelFile = None,
    detector: DetectorFile = None,
    workers: Workers = None,
    json: AsJson = False,
) -> None:
    """All tables and figures of the paper with its number beside ours, as one HTML page and the JSON behind it.

    What was done is kept beside the page, and the same command goes on from there.

    Example: facespace reproduce --data ../shared/data --out report.html --quick
    """
    from facespace.reproduce import Options, write_markdown, write_report
    from facespace.reproduce import reproduce as make_report
    from facespace.reproduce.plots import check_matplotlib

    check_matplotlib()
    options = Options(
        data_folder(data), model, detector, runs, quick=quick, budget=budget, device=device, workers=workers
    )
    work = out.with_suffix(".parts")
    report = make_report(options, work, only=only or (), follow=progress, on_part=_say_part)
    document = write_report(report, out, data=options.data)
    if docs:
        write_markdown(report, docs, command=_command(quick=quick, runs=runs, docs=docs))
    if json:
        show_json(report)
    say(f"page: {out.resolve().as_uri()}")
    say(f"JSON: {document}; cached results: {work}")


def _say_part(part: "MadePart") -> None:
    say(f"{part.title}. {part.result.headline}")


def _command(*, quick: bool, runs: Path | None, docs: Path) -> str:
    """As a reader would type it; the data lie elsewhere for them."""
    options = f"{' --quick' if quick else ''}{' --runs RUNS' if runs else ''}"
    return f"facespace reproduce --data DIR --out report.html{options} --docs {docs}"
