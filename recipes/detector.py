"""The built-in detector: facespace-detector 1.

    python recipes/detector.py ../shared/data runs/detector

Hardware: one core of a server CPU with AVX512-BF16 for training, half of another for making pictures.
Duration: 53 minutes of training (about 10,700 steps of 16 pictures, 54 pictures a second), 5 minutes around it.
Outcome: see docs/models/facespace-detector.md, where every figure stands beside the peers'.

The weights in the package were trained in these steps, but with the doubtful regions added after 10 minutes,
and the withdrawn labels and drawn text after 30: about what a run from this file gives, not the same bytes.
Still rising when it ended: faces of 12 to 24 px. A longer run and more photos are the first things to try.
"""

import dataclasses
import json
import sys
from pathlib import Path

from facespace.training.detector import (
    DetectorRecipe,
    choose_threshold,
    export_detector,
    find_decoys,
    load_sources,
    train_detector,
    write_doubtful,
)

RECIPE = DetectorRecipe()
DECOYS_AFTER_MINUTES = 42.0


def main(data: Path, folder: Path) -> None:
    doubtful, decoys = folder / "doubtful.json", folder / "decoys.json"
    half_trained, model = folder / "half-trained.onnx", folder / "facespace-detector.onnx"
    write_doubtful(data, doubtful)
    first = dataclasses.replace(RECIPE, stop_minutes=DECOYS_AFTER_MINUTES)
    export_detector(train_detector(data, folder, first, doubtful=doubtful), half_trained)
    find_decoys(half_trained, data, decoys, doubtful=doubtful, dev_share=RECIPE.dev_every)
    checkpoint = train_detector(data, folder, RECIPE, doubtful=doubtful, decoys=decoys)
    export_detector(checkpoint, model)
    _, dev = load_sources(data, dev_share=RECIPE.dev_every)
    threshold = choose_threshold(model, dev, json.loads(doubtful.read_text("utf-8")))
    print(export_detector(checkpoint, model, score_threshold=threshold).label, "score >=", threshold)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
