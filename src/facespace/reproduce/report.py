"""The report as one page that needs nothing else, and the JSON behind it."""

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from facespace.errors import DataError
from facespace.reproduce.blocks import NOT_RUN, Picture, Plot
from facespace.reproduce.cells import cell_text
from facespace.reproduce.plots import draw
from facespace.reproduce.run import Report
from facespace.reproduce.thumbnails import inline_picture
from facespace.saved_files import write_beside

__all__ = ["write_report"]


def write_report(report: Report, out: Path, *, data: Path) -> Path:
    """Write the page to ``out`` and its JSON beside it; returns the JSON's path.

    Args:
        report: what `reproduce` made.
        out: HTML file; replaced in one step.
        data: the data sets' folder, whose pictures are set into the page.

    Raises:
        DataError: the files cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    environment = Environment(
        loader=PackageLoader("facespace.reproduce"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = cell_text
    pictures: dict[Picture, str | None] = {}

    def picture(shown: Picture) -> str | None:
        if shown not in pictures:
            pictures[shown] = inline_picture(shown, data)
        return pictures[shown]

    html = environment.get_template("report.html.j2").render(
        report=report,
        picture=picture,
        plot=_plot,
        not_run=NOT_RUN,
        n_not_run=sum(p.result.status == NOT_RUN for p in report.parts),
    )
    document = out.with_suffix(".json")
    try:
        write_beside(document, (json.dumps(_finite(report.to_json()), indent=1) + "\n").encode())
        write_beside(out, html.encode())
    except OSError as error:
        raise DataError(f"{out}: cannot write the report: {error.strerror}") from error
    return document


def _plot(block: Plot, part: str, number: int) -> Markup:
    return Markup(draw(block, name=f"{part}-{number}"))


def _finite(value: Any) -> Any:
    """nan as null: JSON has no word for it."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and value != value else value
