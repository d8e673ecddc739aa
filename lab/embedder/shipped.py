"""The embedders as they ship: a trained network in bytes, asked about several windows of each face.

    python -m lab.embedder.shipped S_8.onnx facespace-s.onnx ../shared/data --version 8 --windows 3
    python -m lab.embedder.shipped XS_3.onnx facespace-xs.onnx ../shared/data --version 4 --windows 2
    facespace models calibrate facespace-s.onnx --data ../shared/data --with S_7.onnx --with S_6.onnx

S_8.onnx and XS_3.onnx are what `lab.embedder.recipe finish` wrote. Bytes take 0.30 of the time of floats on
processors that multiply bytes (AVX-512 VNNI), so three windows in bytes take less than one in floats.

Hardware: any. Duration: a minute, and for calibration three.
Outcome: docs/models. The windows were chosen on people and families set aside: mean of TAR at FAR 1e-3 and 1e-4 on
both, of facespace-s 6 in bytes, 56.5 % for the whole picture; 59.2 with its mirror image; 59.7 for two windows of
0.94 of its side, one mirrored, a thirtieth of a side apart; 60.4 for three. VAL at FAR 1e-3 on `faces/val`, by which
nothing was chosen: 76.8 % for the whole picture in floats, 76.4 in bytes, 79.2 with its mirror image, 79.6, 80.2 and
80.8 for two, three and four windows in bytes; 80.3 where facespace-s 4 sees the third. Version 8: 80.2 and, as it
ships, 82.9 %. Ranges of activations of 1,024 faces cost 0.3 points less than those of 512; bytes in the first and the
last convolution 0.3 points more than floats.
"""

import argparse
import dataclasses
from pathlib import Path
from tempfile import TemporaryDirectory

from facespace.models import ModelSpec, write_spec
from facespace.training.int8 import evenly_drawn, export_int8
from facespace.training.windows import WINDOWS, export_windows

N_FACES = 1024


def write_shipped(source: Path, out: Path, data: Path, *, version: str, n_windows: int) -> ModelSpec:
    """Write the embedder ``source`` to ``out`` as it ships; the ranges of its values are those of DATA/faces/train."""
    with TemporaryDirectory() as folder:
        wide = Path(folder) / "windows.onnx"
        size_hw = export_windows(source, wide, WINDOWS[:n_windows]).input_hw
        spec = export_int8(wide, out, evenly_drawn(data / "faces" / "train", size_hw, n=N_FACES))
    return write_spec(out, dataclasses.replace(spec, version=version))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="lab.embedder.shipped")
    for name in ("source", "out", "data"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--version", required=True)
    parser.add_argument("--windows", type=int, required=True)
    given = parser.parse_args()
    spec = write_shipped(given.source, given.out, given.data, version=given.version, n_windows=given.windows)
    print(spec.label)


if __name__ == "__main__":
    main()
