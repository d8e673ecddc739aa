"""What a half-trained detector takes for faces where there are none: the best pictures to unlearn them by."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from facespace.faces.detect import Detector
from facespace.faces.matching import box_iou
from facespace.faces.split import is_held_out, read_labels

__all__ = ["find_decoys"]

LEAST_SCORE = 0.25
SIZES = (1.0, 0.6)


def find_decoys(
    model: Path, data: Path, out: Path, *, doubtful: Path | None = None, dev_share: int = 0
) -> int:
    """Write the false alarms of ``model`` on the training photos to ``out``, {photo: [box_xyxy, ...]}.

    Those that touch a label or a doubtful region are left out, and photos set aside to choose models by are not
    looked at. Returns how many there are.

    Raises:
        DataError: no labels under ``data``.
        ModelError: ``model`` cannot be read.
    """
    detector = Detector(model, score_threshold=LEAST_SCORE)
    further = json.loads(doubtful.read_text("utf-8")) if doubtful is not None else {}
    photos = [p for p in read_labels(data / "photos") if not is_held_out(p.path)]
    aside = {p.path for p in photos[::dev_share]} if dev_share else set()
    decoys = {}
    for photo in photos:
        if photo.path in aside:
            continue
        image = Image.open(photo.path).convert("RGB")
        taken = [photo.boxes_xyxy, np.array(further.get(photo.path.name, []), np.float32).reshape(-1, 4)]
        boxes = _false_alarms(detector, image, np.concatenate(taken))
        if boxes:
            decoys[photo.path.name] = boxes
    out.write_text(json.dumps(decoys), "utf-8")
    return sum(len(boxes) for boxes in decoys.values())


def _false_alarms(detector: Detector, image: Image.Image, taken: np.ndarray) -> list[list[float]]:
    boxes: list[list[float]] = []
    for size in SIZES:
        wh = round(image.width * size), round(image.height * size)
        found = detector.detect(np.asarray(image.resize(wh, Image.Resampling.BILINEAR))).scaled(1 / size)
        free = box_iou(found.boxes_xyxy, taken).max(1, initial=0.0) < 0.02
        boxes += np.round(found.boxes_xyxy[free].astype(float), 1).tolist()
    return boxes
