"""A contact sheet of a detector's misses and false alarms, to look at: numbers alone hide wrong labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from facespace.evaluate.detection import Matched, match_photos
from facespace.evaluate.detection_data import Peers, held_out_photos
from facespace.faces.detect import Detector
from facespace.faces.matching import FALSE_ALARM, IGNORED

__all__ = ["contact_sheet", "write_sheet"]

TILE_PX = 240
COLUMNS = 6
FOUND, MISSED, WRONG, UNCOUNTED = "#30c030", "#ff3030", "#ffd000", "#a0a0a0"


def contact_sheet(matched: Sequence[Matched], path: Path, *, only_faults: bool = True) -> int:
    """Write a PNG of the photos with faults (or of all), and return how many there are.

    Green: found; red: missed; yellow: false alarms with their score; grey: does not count.
    """
    shown = [m for m in matched if not only_faults or _has_fault(m)]
    rows = max(-(-len(shown) // COLUMNS), 1)
    sheet = Image.new("RGB", (COLUMNS * TILE_PX, rows * TILE_PX), "#202020")
    for i, m in enumerate(shown):
        sheet.paste(_tile(m), (i % COLUMNS * TILE_PX, i // COLUMNS * TILE_PX))
    sheet.save(path)
    return len(shown)


def write_sheet(data: Path, path: Path) -> int:
    """The built-in detector's faults on the held-out photos under ``data``, as a PNG; returns how many photos.

    Raises:
        DataError: no labelled photos under ``data``.
    """
    photos = held_out_photos(data / "photos", Peers.under(data))
    return contact_sheet(match_photos(Detector(), photos), path)


def _has_fault(m: Matched) -> bool:
    return bool((m.matching.found_idx < 0).any() or (m.matching.truth_idx == FALSE_ALARM).any())


def _tile(m: Matched) -> Image.Image:
    image = Image.fromarray(m.photo.pixels)
    scale = TILE_PX / max(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)))
    draw = ImageDraw.Draw(image)
    for box in m.photo.doubtful_xyxy:
        draw.rectangle((np.asarray(box) * scale).tolist(), outline=UNCOUNTED)
    for box, found in zip(m.truth_xyxy, m.matching.found_idx, strict=True):
        draw.rectangle((box * scale).tolist(), outline=FOUND if found >= 0 else MISSED)
    for face, truth in zip(m.found, m.matching.truth_idx, strict=True):
        if truth in (FALSE_ALARM, IGNORED):
            box = (face.boxes_xyxy[0] * scale).tolist()
            colour = WRONG if truth == FALSE_ALARM else UNCOUNTED
            draw.rectangle(box, outline=colour)
            draw.text(box[:2], f"{face.scores[0]:.2f}", fill=colour)
    draw.text((2, 2), m.photo.label.path.stem, fill="white")
    return image
