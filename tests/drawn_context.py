"""A context of drawn people, so that experiments run without trained weights."""

from pathlib import Path

import numpy as np
from PIL import Image

from facespace.measure.cache import Cache
from facespace.measure.context import Context, Setup
from fakes import COLOURS, DrawnDetector, DrawnEmbedder

NAMES = list(COLOURS)


def drawn_context(data: Path | None = None, *, cache: Path | None = None) -> Context:
    """Judges the drawn embedder, by the drawn detector."""
    context = Context(Setup(data), Cache(cache))
    vars(context).update(embedder=DrawnEmbedder(), detector=DrawnDetector())
    return context


def draw_lfw(root: Path, *, n_folds: int = 3) -> Path:
    """Each person has two 250x250 pictures with a square of their colour; every fold has two of each kind."""
    for name in NAMES:
        for i in (1, 2):
            image = np.full((250, 250, 3), 255, np.uint8)
            image[20:80, 90 + i : 150 + i] = COLOURS[name]
            path = root / name / f"{name}_{i:04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path, quality=95)
    same = [f"{NAMES[0]}\t1\t2", f"{NAMES[1]}\t1\t2"]
    diff = [f"{NAMES[0]}\t1\t{NAMES[1]}\t2", f"{NAMES[2]}\t1\t{NAMES[3]}\t2"]
    (root / "pairs.txt").write_text("\n".join([f"{n_folds}\t2", *((same + diff) * n_folds)]))
    return root
