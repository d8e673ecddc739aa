"""The built-in detector, version 5: wider than version 4, in bytes, trained on a GPU from version 4's weights on.

    python -m lab.detector.recipe label ../shared/data MORE LABELS
    python -m lab.detector.pack LABELS PACK
    python -m lab.detector.recipe train PACK RUN --device cuda --workers 13 --minutes 10.4 --batch-size 64 \\
        --learning-rate 4e-3
    python -m lab.detector.recipe export PACK RUN facespace-detector.onnx --version 5

``MORE`` is what `tools/more_data.py` laid out (wider, faceless). PACK, 165 MB, is for a machine that holds no data; on
one that does, LABELS takes its place, without `--device` and `--workers` on a processor. Run the same command again to
resume. Training begins with the weights that are built in: then version 4's, now version 5's, whose bytes are read.

Hardware: an H100, which another training shared, with 16 cores, of which 13 draw pictures. 1,220 pictures a second.
Duration: cut off after 8.6 of 10.4 minutes, 9,800 steps, 627,000 pictures; labels before that 20 minutes of one core.
Outcome: docs/models/facespace-detector.md. AP of large, middle and all faces on every fourth held-out photo: 0.917,
0.916 and 0.813 before (version 4, of half the channels), 0.916, 0.914 and 0.799 after 110 steps of a processor, 0.929,
0.931 and 0.834 at the end; 0.928, 0.931 and 0.835 in bytes, which take 0.38 of the time of floats. Ranges of
activations of drawn training pictures: 0.928, 0.933 and 0.835; all eight bits of weights: 0.925, 0.930 and 0.833.
Version 4 in bytes had lost 0.5, 0.3 and 0.1 points.
Tried on version 4: pictures made around faces that WIDER FACE calls turned or badly lit four times as often, photos
with such faces twice as often, 250,000 pictures: 0.919, 0.923 and 0.820, but fewer faces of photos and more false
alarms.
Before: 100 minutes of a processor, 490,000 pictures, led from version 3 (0.789 of all faces) to 4. Version 3 took
82,000 pictures in float32 (16 a second), without the last residual units.
What each did in version 3, with a half-trained network: a look from afar (a quarter of the input's size) raises AP of
large faces by 1.4 points, of all by 0.5, for 1 ms; votes of a face's candidates lower the landmarks' distance from
scrfd_2.5g's on LFW from 9.5 to 8.2 % of the eye distance, at no cost; a second look at 96 px lowers it to 7.7
(yunet_n: 7.6), one at 80 or 112 px less, two sizes no further. Mixed into the score of doubtful faces (at 0.45), it
leaves 1 of 10 false alarms in 400 faceless pictures.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facespace.faces.detect import DEFAULT_INPUT_PX, STEP_PX
from facespace.images import read_image
from facespace.models import find_model
from lab.detector.export import export_detector
from lab.detector.labels import Pool, write_labels
from lab.detector.pack import read_pack
from lab.detector.peers import KINDS, label
from lab.detector.train import OPTIMISER, DetectorRecipe, train_detector

# Thumbnails are decoded in no time; the others stay for several pictures.
USES = {"thumbnails": 1.0}
# Pictures of each kind whose activations set the ranges of bytes.
OF_RANGES = {"crowds": 80, "photos": 25, "faceless": 10}


def write_all_labels(data: Path, more: Path, out: Path) -> None:
    """Label the pictures of each kind, or what is left of them."""
    out.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        if not (out / f"{kind}.json").exists():
            write_labels(out / f"{kind}.json", label(kind, data, more))


def train(pictures: Path, run: Path, recipe: DetectorRecipe) -> None:
    """Train on what was labelled or packed, from the built-in detector's weights on."""
    # One worker decodes pictures as it goes; several share all of them.
    pools = {
        kind: Pool(labels, uses=USES.get(kind, 8.0), whole=recipe.workers > 1)
        for kind, labels in read_pack(pictures).items()
    }
    train_detector(pools, run, recipe, init=find_model(None, "detector"))


def export(pictures: Path, run: Path, out: Path, version: str) -> None:
    """Write what was trained in bytes; ranges of activations are those of whole pictures, evenly drawn."""
    of_kinds = read_pack(pictures)
    chosen = [
        path
        for kind, n in OF_RANGES.items()
        for path in list(of_kinds[kind])[:: max(1, len(of_kinds[kind]) // n)]
    ]
    print(export_detector(run / "last.pt", out, map(fitted, chosen), version=version).label)


def fitted(path: Path) -> NDArray[np.uint8]:
    """A picture as the detector meets it: at most as large as its input, padded to whole steps."""
    image = Image.fromarray(read_image(path).pixels)
    image.thumbnail((DEFAULT_INPUT_PX, DEFAULT_INPUT_PX), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return np.pad(pixels, [(0, -pixels.shape[0] % STEP_PX), (0, -pixels.shape[1] % STEP_PX), (0, 0)])


def main() -> None:
    """The three commands."""
    parser = argparse.ArgumentParser(prog="lab.detector.recipe")
    commands = parser.add_subparsers(dest="command", required=True)
    labelling = commands.add_parser("label")
    for name in ("data", "more", "out"):
        labelling.add_argument(name, type=Path)
    training = commands.add_parser("train")
    for name in ("pictures", "run"):
        training.add_argument(name, type=Path)
    training.add_argument("--device", default="cpu")
    training.add_argument("--workers", type=int, default=1)
    training.add_argument("--minutes", type=float, default=100.0)
    training.add_argument("--batch-size", type=int, default=16)
    training.add_argument("--learning-rate", type=float, default=OPTIMISER.learning_rate)
    exporting = commands.add_parser("export")
    for name in ("pictures", "run", "out"):
        exporting.add_argument(name, type=Path)
    exporting.add_argument("--version", required=True)
    given = parser.parse_args()
    if given.command == "label":
        write_all_labels(given.data, given.more, given.out)
    elif given.command == "export":
        export(given.pictures, given.run, given.out, given.version)
    else:
        recipe = DetectorRecipe(
            given.minutes,
            given.batch_size,
            optimiser=dataclasses.replace(OPTIMISER, learning_rate=given.learning_rate),
            device=given.device,
            workers=given.workers,
        )
        train(given.pictures, given.run, recipe)


if __name__ == "__main__":
    main()
