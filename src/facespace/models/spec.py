"""ModelSpec: what must be known to use a model's weights rightly, kept inside the model's own file."""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from facespace.errors import IncompatibleModelsError, ModelError
from facespace.models.onnx_metadata import SPEC_KEY, read_metadata, weights_sha256, write_metadata

FARS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
# Of a single comparison, 1:1.
VERIFY_FAR = 1e-3


@dataclass(frozen=True)
class ModelSpec:
    """A model's preprocessing, thresholds and origin.

    Attributes:
        name: for people, such as "facespace-s".
        version: of the weights.
        task: "embedder" or "detector".
        input_hw: rows and columns of an embedder's input in pixels; (0, 0) where any size goes.
        input_layout: "NCHW" or "NHWC", the order of the input's axes.
        colour: "RGB" or "BGR", the channel order of the input.
        scaling: "fixed" (by ``mean`` and ``std``) or "per_image" (each crop by the mean and spread of its own
            values, as FaceNet-type models of the TensorFlow family have it).
        mean: subtracted from each pixel value in 0..255; one number, or three in the order of ``colour``.
        std: then divides it; likewise.
        alignment: "similarity" (five landmarks onto the template) or "tight" (the box alone).
        crop_margin: of a tight crop, the share of the box's side added on each side.
        dim: components of an embedding; 0 for a detector.
        sha256: of the weights, in hex; filled in when the file is read.
        distances: largest distance that counts as the same person, at each FAR ("1e-3": 0.9);
            None where the calibration's pairs cannot support that FAR.
        calibration: on what the distances were measured.
        populations: the distances at each FAR by the people whose pairs they were measured on; ``distances`` are those
            of the first. One distance stands for different rates among children and among adults.
        byte_scale: components times this, rounded and clipped to +-127, are the byte template; 0 for none.
        training_data: what the weights saw.
        licence: of the weights.
        compatible_with: sha256 of another model -> distances of mixed comparison at each FAR.
        notes: further facts for the reader, such as "tight crops imitated".
        options: settings that belong to the weights, such as a detector's layout and score threshold.
    """

    name: str
    version: str
    task: str
    input_hw: tuple[int, int]
    input_layout: str = "NCHW"
    colour: str = "RGB"
    scaling: str = "fixed"
    mean: float | tuple[float, ...] = 127.5
    std: float | tuple[float, ...] = 127.5
    alignment: str = "similarity"
    crop_margin: float = 0.0
    dim: int = 128
    sha256: str = ""
    distances: dict[str, float | None] = field(default_factory=dict)
    calibration: str = ""
    populations: dict[str, dict[str, float | None]] = field(default_factory=dict)
    byte_scale: float = 0.0
    training_data: str = ""
    licence: str = ""
    compatible_with: dict[str, dict[str, float | None]] = field(default_factory=dict)
    notes: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        choices = {
            "task": ("embedder", "detector"),
            "input_layout": ("NCHW", "NHWC"),
            "colour": ("RGB", "BGR"),
            "scaling": ("fixed", "per_image"),
            "alignment": ("similarity", "tight"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ModelError(f"ModelSpec.{name}: expected one of {allowed}, got {getattr(self, name)!r}")
        object.__setattr__(self, "input_hw", tuple(self.input_hw))
        for name in ("mean", "std"):
            object.__setattr__(self, name, _one_or_three(name, getattr(self, name)))
        if not np.all(np.asarray(self.std) > 0):
            raise ModelError(f"ModelSpec.std: expected positive numbers, got {self.std}")

    @property
    def label(self) -> str:
        """Name, version and the beginning of the hash: enough to tell two models apart in a message."""
        return f"{self.name} {self.version} ({self.sha256[:8]})"

    def on_population(self, population: str | None) -> "ModelSpec":
        """The spec with the distances of another population; None leaves them.

        Raises:
            ModelError: it was not calibrated on that population.
        """
        if population is None:
            return self
        if population not in self.populations:
            known = ", ".join(self.populations) or "none: run `facespace models calibrate`"
            raise ModelError(f"{self.label}: expected one of its populations ({known}), got '{population}'")
        return dataclasses.replace(self, distances=self.populations[population])

    def uncalibrated(self, **changes: Any) -> "ModelSpec":
        """The spec of weights that answer otherwise: with these changes, and without what was measured of these."""
        return dataclasses.replace(
            self, distances={}, calibration="", populations={}, compatible_with={}, **changes
        )

    def to_json(self) -> str:
        """The spec as one JSON document."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "ModelSpec":
        """Read what `to_json` wrote; keys of later versions are passed over.

        Raises:
            ModelError: not the JSON of a spec.
        """
        try:
            values = json.loads(text)
            known = {f.name for f in dataclasses.fields(cls)}
            return cls(**{k: v for k, v in values.items() if k in known})
        except (TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"expected the JSON of a ModelSpec: {error}") from error


def _one_or_three(name: str, value: Any) -> float | tuple[float, ...]:
    numbers = np.asarray(value, np.float64)
    if numbers.shape not in ((), (3,)) or not np.isfinite(numbers).all():
        raise ModelError(f"ModelSpec.{name}: expected one finite number or three, got {value!r}")
    return tuple(numbers.tolist()) if numbers.ndim else float(numbers)


def far_key(far: float) -> str:
    """The text that stands for a FAR in a spec and in JSON: 0.001 -> "1e-3"."""
    exponent = math.floor(math.log10(far) + 1e-9)
    return f"{far / 10**exponent:.3g}e{exponent}"


def common_distances(a: ModelSpec, b: ModelSpec) -> dict[str, float | None]:
    """May embeddings of two models meet, and which distance of theirs stands for each FAR?

    Raises:
        IncompatibleModelsError: two models, neither of which declares compatibility with the other.
    """
    if a.sha256 == b.sha256:
        return a.distances
    for one, other in ((a, b), (b, a)):
        if other.sha256 in one.compatible_with:
            return one.compatible_with[other.sha256]
    raise IncompatibleModelsError(
        f"embeddings of {a.label} and of {b.label} cannot be compared: neither model declares compatibility; "
        "embed both sides with the same model"
    )


def read_spec(path: Path) -> ModelSpec:
    """The ModelSpec inside the ONNX file at ``path``.

    Raises:
        ModelError: no model there, or one without a spec that this version understands.
    """
    text = read_metadata(path).get(SPEC_KEY)
    if text is None:
        raise ModelError(f"{path}: expected a facespace model, this ONNX file carries no ModelSpec")
    try:
        spec = ModelSpec.from_json(text)
    except ModelError as error:
        raise ModelError(f"{path}: its ModelSpec cannot be understood: {error}") from error
    return dataclasses.replace(spec, sha256=weights_sha256(path))


def write_spec(path: Path, spec: ModelSpec) -> ModelSpec:
    """Put ``spec`` into the ONNX file at ``path``; returns it with the sha256 of the weights there.

    Raises:
        ModelError: the file cannot be read or written, or is no ONNX model.
    """
    values = dataclasses.asdict(spec)
    del values["sha256"]
    write_metadata(path, {SPEC_KEY: json.dumps(values)})
    return dataclasses.replace(spec, sha256=weights_sha256(path))
