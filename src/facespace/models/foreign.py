"""What a foreign ONNX embedder says of itself, and what it cannot say: channel order, scaling, alignment."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facespace.errors import InputError, ModelError
from facespace.models.onnx_metadata import SPEC_KEY, read_metadata
from facespace.models.session import open_session

PER_IMAGE = "per-image"


@dataclass(frozen=True)
class ForeignInput:
    """The input and outputs that a foreign file declares.

    Attributes:
        layout: "NCHW" or "NHWC"; None where the file leaves the channel axis open.
        side_px: rows and columns; None where the file leaves them open.
        outputs: names of its outputs.
    """

    layout: str | None
    side_px: int | None
    outputs: tuple[str, ...]


def read_foreign(path: Path) -> ForeignInput:
    """Read what the ONNX file at ``path`` declares.

    Raises:
        ModelError: no ONNX model, one that carries a ModelSpec already, or one that does not take a batch of
            square colour pictures as its only input.
    """
    if SPEC_KEY in read_metadata(path):
        raise ModelError(f"{path}: expected a foreign model, this one carries a ModelSpec: use it as it is")
    session = open_session(path)
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
        met = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
        raise ModelError(f"{path}: expected one input, a batch of pictures as tensor(float), met {met}")
    shape = inputs[0].shape
    layout = "NCHW" if shape[1] == 3 else "NHWC" if shape[3] == 3 else None
    numbers = [side for side in shape[1:] if isinstance(side, int) and side != 3]
    if len(set(numbers)) > 1 or (layout is None and len(numbers) == 3):
        raise ModelError(f"{path}: expected square pictures of three channels, met an input of {shape}")
    side_px = numbers[0] if numbers else None
    return ForeignInput(layout, side_px, tuple(o.name for o in session.get_outputs()))


def parse_scaling(text: str) -> dict[str, str | float | tuple[float, ...]]:
    """The ModelSpec fields that stand for a scaling: "per-image", or "MEAN/STD" of one number or three each.

    >>> parse_scaling("127.5/128")
    {'scaling': 'fixed', 'mean': 127.5, 'std': 128.0}

    Raises:
        InputError: neither form.
    """
    if text == PER_IMAGE:
        return {"scaling": "per_image"}
    try:
        mean, std = ([float(number) for number in side.split(",")] for side in text.split("/"))
        if {len(mean), len(std)} <= {1, 3} and np.isfinite([*mean, *std]).all() and min(std) > 0:
            fields = (tuple(side) if len(side) == 3 else side[0] for side in (mean, std))
            return dict(zip(("scaling", "mean", "std"), ("fixed", *fields), strict=True))
    except ValueError:
        pass
    raise InputError(
        f"scaling: expected 'per-image' or MEAN/STD such as 127.5/127.5, 0/255 or 91.5,103.9,131.1/1, got '{text}'"
    )


def check_name(name: str) -> str:
    """Return ``name`` if a model may be called so.

    Raises:
        InputError: it is no plain file name.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise InputError(f"name: expected letters, digits, dots, dashes and underlines, got '{name}'")
    return name
