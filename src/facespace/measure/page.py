"""A report as one page that needs nothing else, and the JSON behind it."""

import base64
import json
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from facespace.errors import ImageError
from facespace.faces.align import square_crops
from facespace.images import read_image
from facespace.images.jpeg import to_jpeg
from facespace.measure.plots import draw
from facespace.measure.report import Report
from facespace.measure.result import NOT_RUN, Picture, Plot, cell_text
from facespace.saved_files import write_beside


def write_page(report: Report, out: Path, *, data: Path | None) -> Path:
    """Write the page to ``out`` and its JSON beside it; returns the JSON's path.

    Args:
        report: what to show.
        out: HTML file; replaced in one step.
        data: the data sets' folder, whose pictures are set into the page.

    Raises:
        WriteError: the files cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    environment = Environment(
        loader=PackageLoader("facespace.measure"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["cell"] = cell_text
    pictures: dict[Picture, str | None] = {}

    def picture(shown: Picture) -> str | None:
        if shown not in pictures:
            pictures[shown] = inline_picture(shown, data or Path())
        return pictures[shown]

    html = environment.get_template("report.html.j2").render(
        report=report, picture=picture, plot=_plot, not_run=NOT_RUN
    )
    document = out.with_suffix(".json")
    write_beside(document, (json.dumps(report.to_json(), indent=1) + "\n").encode())
    write_beside(out, html.encode())
    return document


def _plot(block: Plot, part: str, number: int) -> Markup:
    return Markup(draw(block, name=f"{part}-{number}"))


SIDE_PX, ZOOM_OUT, QUALITY = 112, 1.5, 80


def inline_picture(picture: Picture, data: Path) -> str | None:
    """A data URI of the face, or of the whole picture where no box is given; None where the file is gone."""
    try:
        pixels = read_image(data / picture.path).pixels
    except ImageError:
        return None
    if picture.box_xyxy is not None:
        boxes = np.array([picture.box_xyxy], np.float32)
        pixels = square_crops(pixels, boxes, size_px=SIDE_PX, zoom_out=ZOOM_OUT)[0]
    return f"data:image/jpeg;base64,{base64.b64encode(to_jpeg(pixels, quality=QUALITY)).decode()}"
