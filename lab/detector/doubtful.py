"""Where the training labels cannot be trusted: peers' findings beyond them, and labels no peer confirms."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.faces.detect import Detector
from facespace.faces.matching import box_iou
from facespace.faces.split import LabelledPhoto, is_held_out, read_labels

PEERS = ("yunet_n.onnx", "scrfd_2.5g.onnx")
LEAST_SCORE = 0.3
SURE_LABEL_SCORE = 0.85  # labels of the detector that made them; nearly all wrong ones are below
NO_LIMIT_PX = 10_000


def write_doubtful(data: Path, out: Path) -> int:
    """Write the regions of all training photos under ``data`` to ``out``; returns how many there are.

    Raises:
        DataError: no labels there.
        ModelError: no peers there.
    """
    peers = [
        Detector(data / "peers" / name, score_threshold=LEAST_SCORE, input_px=NO_LIMIT_PX) for name in PEERS
    ]
    regions = {}
    for photo in read_labels(data / "photos"):
        if not is_held_out(photo.path):
            found = doubtful_regions(photo, confirming=peers[1], further=peers[:1])
            if len(found):
                regions[photo.path.name] = np.round(found.astype(float), 1).tolist()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(regions), "utf-8")
    return sum(len(boxes) for boxes in regions.values())


def doubtful_regions(
    photo: LabelledPhoto, *, confirming: Detector, further: list[Detector]
) -> NDArray[np.float32]:
    """Boxes (N, 4) in ``photo`` where nothing should be trained.

    These are faces that any peer suspects at twice the resolution but no label names, and labels of a low
    score that ``confirming`` does not suspect at either resolution.
    """
    image = Image.open(photo.path).convert("RGB")
    double = image.resize((2 * image.width, 2 * image.height), Image.Resampling.BICUBIC)
    confirmed = [
        confirming.detect(np.asarray(double)).scaled(0.5).boxes_xyxy,
        confirming.detect(np.asarray(image)).boxes_xyxy,
    ]
    seen = [confirmed[0], *(d.detect(np.asarray(double)).scaled(0.5).boxes_xyxy for d in further)]
    unlabelled = [s[box_iou(s, photo.boxes_xyxy).max(1, initial=0.0) < 0.4] for s in seen]
    backed = box_iou(photo.boxes_xyxy, np.concatenate(confirmed)).max(1, initial=0.0) >= 0.4
    unconfirmed = photo.boxes_xyxy[~backed & (photo.scores < SURE_LABEL_SCORE)]
    return np.concatenate([*unlabelled, unconfirmed])
