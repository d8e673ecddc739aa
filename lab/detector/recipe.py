"""The built-in detector, version 4: from version 3's weights on, with whole photographs of crowds.

    python -m lab.detector.recipe ../shared/data MORE RUN

``MORE`` is what `tools/more_data.py` laid out (wider, faceless); ``RUN`` receives labels, checkpoints and the model.
Run the same command again to resume.

Hardware: one core of a server CPU with bfloat16, and half of another for the pictures; 8 minutes for the peers' labels.
Duration: 100 minutes beside other work, 30,600 steps of 16 pictures (82 a second).
Outcome: docs/models/facespace-detector.md. AP of all faces on every fourth held-out photo: 0.789 before, 0.796 after 26
minutes, 0.812 at the end. Version 3 took 82,000 pictures in float32 (16 a second), without the last residual units.
What each did in version 3, with a half-trained network: a look from afar (a quarter of the input's size) raises AP of
large faces by 1.4 points, of all by 0.5, for 1 ms; votes of a face's candidates lower the landmarks' distance from
scrfd_2.5g's on LFW from 9.5 to 8.2 % of the eye distance, at no cost; a second look at 96 px lowers it to 7.7
(yunet_n: 7.6), one at 80 or 112 px less, two sizes no further. Mixed into the score of doubtful faces (at 0.45), it
leaves 1 of 10 false alarms in 400 faceless pictures.
Tried from there on: pictures made around faces that WIDER FACE calls turned or badly lit four times as often, photos
with such faces twice as often, 250,000 pictures. AP 0.919 / 0.923 / 0.820 (0.917 / 0.916 / 0.813) and stills 0.956
(0.934), but photos 0.942 (0.947), 0.53 false alarms in 100 (0.42) and landmarks 6.8 (6.5): not shipped.
Not done: a wider network.
"""

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

from facespace.models import find_model
from lab.detector.calibrate import choose_threshold
from lab.detector.canvas import Motion
from lab.detector.data import DataOptions, Sources, load_sources
from lab.detector.doubtful import write_doubtful
from lab.detector.export import export_detector
from lab.detector.faceless import faceless_pool, read_faceless, write_faceless
from lab.detector.relabel import write_relabels
from lab.detector.train import OPTIMISER, DetectorRecipe, train_detector
from lab.detector.wider import wider_pool, write_peer_labels

DEV_EVERY = 15  # of the training photos, to choose the threshold by
THUMBNAILS_EVERY = 5
FACELESS_EVERY = 4
RECIPE = DetectorRecipe(
    minutes=100.0,
    optimiser=dataclasses.replace(OPTIMISER, learning_rate=2.5e-3, ema=0.999),
    data=DataOptions(
        crowd_share=0.63,
        photo_share=0.12,
        far_photo_share=0.35,
        mosaic_share=0.08,
        collage_share=0.05,
        faceless_share=0.12,
        motion=Motion(min_face_px=5.0),
    ),
)


def write_labels(data: Path, more: Path, run: Path) -> None:
    """What the peers say of all training pictures, each kind once."""
    peers = data / "peers"
    jobs: dict[str, Callable[[Path], int]] = {
        "wider.json": lambda out: write_peer_labels(more / "wider", peers, out),
        "faces.json": lambda out: write_relabels(data, out, every=THUMBNAILS_EVERY),
        "doubtful.json": lambda out: write_doubtful(data, out),
        "faceless.json": lambda out: write_faceless(more / "faceless", peers, out, every=FACELESS_EVERY),
    }
    for name, write in jobs.items():
        if not (run / name).exists():
            write(run / name)


def read_sources(data: Path, more: Path, run: Path) -> Sources:
    """All training pictures, by the labels in ``run``."""
    sources, _ = load_sources(
        data, dev_share=DEV_EVERY, faces=run / "faces.json", doubtful=run / "doubtful.json"
    )
    return dataclasses.replace(
        sources,
        crowds=wider_pool(more / "wider", run / "wider.json"),
        faceless=faceless_pool(read_faceless(more / "faceless", run / "faceless.json")),
    )


def main(data: Path, more: Path, run: Path) -> None:
    run.mkdir(parents=True, exist_ok=True)
    write_labels(data, more, run)
    checkpoint = train_detector(read_sources(data, more, run), run, RECIPE, init=find_model(None, "detector"))
    model = run / "facespace-detector.onnx"
    export_detector(checkpoint, model, version="4")
    _, dev = load_sources(data, dev_share=DEV_EVERY)
    # The shipped file has version 3's 0.45.
    threshold = choose_threshold(model, dev, json.loads((run / "doubtful.json").read_text("utf-8")))
    spec = export_detector(checkpoint, model, score_threshold=threshold, version="4")
    print(spec.label, "score >=", threshold)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
