"""`python -m lab.cards CARD --data DIR`: measure a model and write the figures into its card."""

import json
from pathlib import Path
from typing import Annotated

import typer

from facespace.measure.context import Context, Setup
from lab.cards.card import write_card
from lab.cards.embedder import measure_embedder, render_embedder


def embedder(
    card: Annotated[Path, typer.Argument(help="Card in Markdown, such as docs/models/facespace-s.md.")],
    data: Annotated[Path, typer.Option(help="Folder of the data sets.")],
    model: Annotated[str | None, typer.Option(help="Embedder; that of the card's name unless given.")] = None,
    render: Annotated[
        bool, typer.Option("--render", help="Write the table from the kept figures; measure nothing.")
    ] = False,
) -> None:
    """Every figure of an embedder's card: hold-out, LFW, an album, bytes, quality, size and speed."""
    if render:
        figures = json.loads(card.with_suffix(".json").read_text(encoding="utf-8"))
    else:
        context = Context(Setup(data, model=model or card.stem))
        figures = measure_embedder(context, on_part=typer.echo)
    typer.echo(f"figures in {card} and {write_card(card, figures, render_embedder(figures))}")


if __name__ == "__main__":
    typer.run(embedder)
