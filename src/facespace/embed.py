"""Crops of faces to unit vectors (paper, section 3), and vectors to bytes and back."""

from copy import copy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facespace.distances import check_embeddings, distance
from facespace.errors import InputError, ModelError
from facespace.models import ModelSpec, find_model, read_spec
from facespace.models.devices import AUTO
from facespace.models.session import Network

BYTE_LIMIT = 127


class Embedder:
    """A model that maps a batch of crops to embeddings; safe to share between threads.

    Args:
        model: a built-in name or the path of an ONNX file with a ModelSpec; None for the built-in embedder.
        threads: processor threads for one call.
        device: where the network runs: "auto", "cpu", "cuda", "coreml", "directml" or "openvino".
        batch_size: crops a run of the network; bounds the memory of a call.

    Raises:
        ModelError: no such model, one that is no embedder, or a device that is not installed or does not work here.
        InputError: no such device.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        threads: int = 1,
        device: str = AUTO,
        batch_size: int = 32,
    ) -> None:
        self.path = find_model(model, "embedder")
        self.spec: ModelSpec = read_spec(self.path)
        if self.spec.task != "embedder":
            raise ModelError(f"{self.path}: expected an embedder, this model is a {self.spec.task}")
        self._network = Network(self.path, threads=threads, device=device)
        named = self.spec.options.get("output")
        self._outputs = None if named is None else (str(named),)
        fixed = self._network.input_shape[0]
        self._fixed_batch = isinstance(fixed, int)
        self._batch_size = fixed if isinstance(fixed, int) else batch_size

    @property
    def device(self) -> str:
        """Where the network runs."""
        return self._network.device.name

    def embed(self, crops: NDArray[np.uint8], *, flip: bool = False) -> NDArray[np.float32]:
        """Embeddings of ``crops``.

        Args:
            crops: uint8 RGB, shape (N, H, W, 3), of the spec's input size, aligned as the spec says.
            flip: add the embedding of the mirror image before normalising; twice the time.

        Returns:
            float32 unit rows, shape (N, D).

        Raises:
            InputError: crops of another type or size.
        """
        crops = np.asarray(crops)
        h, w = self.spec.input_hw
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (h, w, 3):
            raise InputError(
                f"crops: expected uint8 of shape (N, {h}, {w}, 3), got {crops.dtype} of shape {crops.shape}"
            )
        if len(crops) == 0:
            return np.zeros((0, self.spec.dim), np.float32)
        raw = self._run(crops)
        if flip:
            raw = raw + self._run(crops[:, :, ::-1])
        return raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-12)

    def fed_as(self, spec: ModelSpec) -> "Embedder":
        """The same network with its input prepared as ``spec`` says, to compare ways to feed it."""
        other = copy(self)
        other.spec = spec
        return other

    def on_population(self, population: str | None) -> "Embedder":
        """The same network with the thresholds of another population; see `ModelSpec.on_population`."""
        return self.fed_as(self.spec.on_population(population))

    def _run(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        chunks = range(0, len(crops), self._batch_size)
        return np.concatenate([self._run_chunk(crops[i : i + self._batch_size]) for i in chunks])

    def _run_chunk(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = prepare(crops, self.spec)
        if self._fixed_batch:
            pixels = np.pad(pixels, ((0, self._batch_size - len(crops)), (0, 0), (0, 0), (0, 0)))
        raw = self._network.run(pixels, self._outputs)[0]
        output: NDArray[np.float32] = raw[: len(crops)].reshape(len(crops), -1)
        return output / np.maximum(np.linalg.norm(output, axis=1, keepdims=True), 1e-12)


def prepare(crops: NDArray[np.uint8], spec: ModelSpec) -> NDArray[np.float32]:
    """Crops as the network of ``spec`` takes them: channel order, scaling and axes.

    Args:
        crops: uint8 RGB, shape (N, H, W, 3).
        spec: says how.

    Returns:
        float32, shape (N, 3, H, W) or (N, H, W, 3).
    """
    channels = crops if spec.colour == "RGB" else crops[..., ::-1]
    first = spec.input_layout == "NCHW"
    pixels = np.ascontiguousarray(channels.transpose(0, 3, 1, 2) if first else channels, np.float32)
    if spec.scaling == "per_image":
        mean, std = pixels.mean((1, 2, 3), keepdims=True), pixels.std((1, 2, 3), keepdims=True)
        # A crop of one colour has no spread: the least is that of one step in one value (TensorFlow's rule).
        std = np.maximum(std, pixels[0].size ** -0.5)
    else:
        shape = (-1, 1, 1) if first else (-1,)
        mean = np.asarray(spec.mean, np.float32).reshape(shape)
        std = np.asarray(spec.std, np.float64).reshape(shape)
    pixels -= mean
    pixels *= (1.0 / std).astype(np.float32)
    return pixels


def quantise(embeddings: NDArray[np.float32], byte_scale: float) -> NDArray[np.int8]:
    """Unit rows (N, D) to one signed byte a component: round(x * byte_scale), clipped to +-127.

    The paper (section 1) quantises 128 floats to 128 bytes without loss of accuracy. The distance of two
    byte vectors is the distance of their `dequantise`d unit rows.

    Raises:
        InputError: a scale that is not positive: the model declares no byte form.
    """
    if not byte_scale > 0:
        raise InputError(f"byte_scale: expected a positive scale from the ModelSpec, got {byte_scale}")
    scaled = np.rint(np.asarray(embeddings, np.float32) * np.float32(byte_scale))
    return np.clip(scaled, -BYTE_LIMIT, BYTE_LIMIT).astype(np.int8)


def fit_byte_scale(embeddings: NDArray[np.float32]) -> float:
    """The scale at which the bytes of unit rows (N, D) lie nearest to them, found on a grid.

    A larger scale rounds more finely and clips more of the largest components; the spread of a component is
    1 / sqrt(D), so the grid puts the limit at 2.5 to 8 spreads.

    Raises:
        InputError: no rows, or rows that are not of unit length.
    """
    rows = check_embeddings(embeddings)
    if not len(rows):
        raise InputError("embeddings: expected at least one row to fit a byte scale to, got none")
    scales = [round(BYTE_LIMIT * rows.shape[1] ** 0.5 / spreads, 1) for spreads in np.arange(2.5, 8.05, 0.1)]
    losses = [float(distance(dequantise(quantise(rows, scale)), rows).mean()) for scale in scales]
    return scales[int(np.argmin(losses))]


def dequantise(templates: NDArray[np.int8]) -> NDArray[np.float32]:
    """Byte rows (N, D) back to unit rows: the scale cancels, so that any byte vector has one direction."""
    rows = np.asarray(templates, np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
