"""The int8 twin of a built-in embedder, in a third of the time where a processor multiplies bytes.

    python -m lab.embedder.twins facespace-s facespace-s-int8.onnx ../shared/data
    facespace models calibrate facespace-s-int8.onnx --with facespace-s --data ../shared/data

Hardware: any. Duration: two minutes, most of them for the second command.
Outcome: docs/models/facespace-s.md. VAL at FAR 1e-3 of version 6 falls from 76.77 to 76.40 % with the ranges of 1,024
faces, to 76.25 % with 2,048, and to 76.08 % with bytes in the first and the last convolution too. With these, that of
version 5 fell from 75.94 to 75.34 % with the ranges of 512 faces, to 75.50 % with 2,048; percentiles (99.99, 99.999)
and weights of eight bits gave 75.3 to 75.5 %.
"""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import torch

from facespace.models import ModelSpec, find_model, read_spec, write_spec
from facespace.training.augment import to_input
from facespace.training.data import open_faces
from facespace.training.int8 import export_int8

N_FACES = 1024


def write_twin(name: str, out: Path, data: Path) -> ModelSpec:
    """Write the twin of the embedder ``name`` to ``out``; the ranges of its values are those of DATA/faces/train."""
    original = find_model(name, "embedder")
    spec = read_spec(original)
    faces = open_faces(data / "faces" / "train", size_hw=spec.input_hw, cache_bytes=0)
    chosen = np.linspace(0, len(faces) - 1, N_FACES).round().astype(np.int64)
    twin = export_int8(original, out, to_input(torch.from_numpy(faces.crops(chosen)), spec.input_hw).numpy())
    renamed = dataclasses.replace(
        twin, name=f"{name}-int8", version=spec.version, populations={}, compatible_with={}
    )
    return write_spec(out, renamed)


if __name__ == "__main__":
    print(write_twin(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])).label)
