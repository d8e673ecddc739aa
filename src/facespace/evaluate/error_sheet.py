"""The pairs that a model gets wrong, as one picture (paper, Figure 6)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from facespace.evaluate.lfw import PairDistances
from facespace.saved_files import written_beside

__all__ = ["write_error_sheet"]

SIDE_PX = 96
GAP_PX = 14
TEXT_PX = 34
COLUMNS = 6


def write_error_sheet(
    measured: PairDistances, path: Path, *, picture: Callable[[str], Image.Image], max_each: int | None = None
) -> tuple[int, int]:
    """Write every false accept and every false reject with its distance, the clearest error first.

    Args:
        measured: the pairs and their distances; each is judged at the threshold of its fold.
        path: PNG or JPEG to write.
        picture: the picture of a name in the pairs file.
        max_each: errors of each kind shown; all when absent.

    Returns:
        How many false accepts and false rejects there are.
    """
    wrong, same, distance = ~measured.right(), measured.listed.same, measured.distance
    accepts, rejects = np.flatnonzero(wrong & ~same), np.flatnonzero(wrong & same)
    accepts, rejects = accepts[np.argsort(distance[accepts])], rejects[np.argsort(-distance[rejects])]
    sections = [
        (f"False accepts: {len(accepts)} pairs of two people taken for one", accepts[:max_each]),
        (f"False rejects: {len(rejects)} pairs of one person taken for two", rejects[:max_each]),
    ]
    cell_w, cell_h = 2 * SIDE_PX + GAP_PX, SIDE_PX + TEXT_PX
    heights = [40 + cell_h * max(1, -(-len(pairs) // COLUMNS)) for _, pairs in sections]
    sheet = Image.new("RGB", (COLUMNS * cell_w + GAP_PX, sum(heights) + GAP_PX), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    top = 0
    for (title, pairs), height in zip(sections, heights, strict=True):
        draw.text((GAP_PX, top + 10), title, fill="black", font=ImageFont.load_default(17))
        for k, pair in enumerate(pairs):
            x, y = GAP_PX + k % COLUMNS * cell_w, top + 40 + k // COLUMNS * cell_h
            for side, name in enumerate(measured.listed.pairs[pair]):
                sheet.paste(picture(name).convert("RGB").resize((SIDE_PX, SIDE_PX)), (x + side * SIDE_PX, y))
            caption = f"{distance[pair]:.3f}  {_short(measured.listed.pairs[pair])}"
            draw.text((x, y + SIDE_PX + 3), caption, fill="black", font=font)
        top += height
    with written_beside(path, private=True) as partial:
        sheet.save(partial, format=Image.registered_extensions().get(path.suffix.lower(), "PNG"))
    return len(accepts), len(rejects)


def _short(names: tuple[str, str]) -> str:
    """The people of a pair in as many letters as fit below it."""
    first, second = (name.split("/")[0].replace("_", " ") for name in names)
    return first[:20] if first == second else f"{first[:10]} / {second[:10]}"
