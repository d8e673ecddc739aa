"""`python -m lab.cards CARD --data DIR`: measure a model and write the figures into its card."""

import json
from pathlib import Path
from typing import Annotated

import typer

from facespace.measure.context import Context, Setup
from facespace.models import BUILT_IN
from lab.cards.card import write_card
from lab.cards.detector import measure_detectors, render_detectors
from lab.cards.embedder import measure_embedder, render_embedder


def main(
    card: Annotated[Path, typer.Argument(help="Card in Markdown, such as docs/models/facespace-s.md.")],
    data: Annotated[Path, typer.Option(help="Folder of the data sets.")],
    model: Annotated[str | None, typer.Option(help="Embedder; that of the card's name unless given.")] = None,
    render: Annotated[
        bool, typer.Option("--render", help="Write the table from the kept figures; measure nothing.")
    ] = False,
) -> None:
    """Every figure of a card. An embedder's: hold-out, LFW, an album, bytes, quality, size and speed."""
    is_detector = card.stem == BUILT_IN["detector"]
    if render:
        figures = json.loads(card.with_suffix(".json").read_text(encoding="utf-8"))
    elif is_detector:
        figures = measure_detectors(Context(Setup(data)))
    else:
        figures = measure_embedder(Context(Setup(data, model=model or card.stem)), on_part=typer.echo)
    table = render_detectors(figures) if is_detector else render_embedder(figures)
    typer.echo(f"figures in {card} and {write_card(card, figures, table)}")


if __name__ == "__main__":
    typer.run(main)
