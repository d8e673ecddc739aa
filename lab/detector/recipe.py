"""The built-in detector, version 4: from version 3's weights on, with whole photographs of crowds.

    python -m lab.detector.recipe ../shared/data MORE RUN

``MORE`` is what `tools/more_data.py` laid out (wider, faceless); ``RUN`` receives labels, checkpoints and the model.
Run the same command again to resume. It begins with the weights that are built in: then version 3's, now version 4's.
The score threshold is not chosen again: `facespace measure detector --model RUN/facespace-detector.onnx` says what it
gives.

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

import sys
from pathlib import Path

from facespace.models import find_model
from lab.detector.export import export_detector
from lab.detector.labels import Pool, read_labels, write_labels
from lab.detector.peers import KINDS, label
from lab.detector.train import train_detector

# Thumbnails are decoded in no time; the others stay for several pictures.
USES = {"thumbnails": 1.0}


def main(data: Path, more: Path, run: Path) -> None:
    """Label, train and export, or what is left of it."""
    run.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        if not (run / f"{kind}.json").exists():
            write_labels(run / f"{kind}.json", label(kind, data, more))
    pools = {kind: Pool(read_labels(run / f"{kind}.json"), uses=USES.get(kind, 8.0)) for kind in KINDS}
    checkpoint = train_detector(pools, run, init=find_model(None, "detector"))
    print(export_detector(checkpoint, run / "facespace-detector.onnx", version="5").label)


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:4]))
