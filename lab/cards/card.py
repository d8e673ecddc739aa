"""A model card's figures: kept as JSON beside the card, and written into it from there.

The prose of a card is written by people; what stands between its two marks is not. Mitchell et al., "Model cards for
model reporting" (2019).
"""

import json
from pathlib import Path
from typing import Any

from facespace.errors import DataError
from facespace.saved_files import write_beside

BEGIN, END = "<!-- figures, written by a command -->", "<!-- end of figures -->"

Figures = dict[str, Any]


def write_card(card: Path, figures: Any, table: str) -> Path:
    """Keep ``figures`` beside the Markdown file ``card`` as JSON, and write their ``table`` between its marks.

    Raises:
        DataError: no such card, or one without the marks.
    """
    try:
        text = card.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{card}: expected a model card in Markdown: {error.strerror}") from error
    if BEGIN not in text or END not in text:
        raise DataError(f"{card}: expected the marks '{BEGIN}' and '{END}', between which the figures go")
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    kept = card.with_suffix(".json")
    for path, content in (
        (kept, json.dumps(figures, indent=1) + "\n"),
        (card, f"{head}{BEGIN}\n{table}{END}{tail}"),
    ):
        write_beside(path, content.encode())
    return kept
