"""Networks opened by onnxruntime, with explicit threads, on the device that was chosen."""

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facespace.errors import ModelError
from facespace.models.devices import AUTO, DEVICES, Device, candidates
from facespace.models.gathering import Gathering
from facespace.models.open_batch import with_open_batch

if TYPE_CHECKING:
    import onnxruntime

Array = NDArray[np.float32]
Declared = list[int | str | None]
TRIED_PX = 64  # of pictures that show whether a network keeps them apart
SAME = 1e-3


def open_session(path: Path, *, threads: int = 1) -> "onnxruntime.InferenceSession":
    """A session on the processor for the model at ``path``, with ``threads`` threads a call; many may call it.

    Raises:
        ModelError: onnxruntime cannot load the file.
    """
    return _open(path, path, DEVICES["cpu"], threads)


class Network:
    """A network on a device; may be called from many threads at once.

    Pickled, it takes the model along, and opens it on a device of where it arrives.

    A device that takes batches runs one at a time, of the rows that all threads have ready; where the file declares
    one picture a run, its first axis is opened if a trial shows that pictures do not mix.

    Args:
        path: of the model.
        threads: processor threads for one call.
        device: one of `facespace.models.devices.DEVICES`, or "auto".

    Attributes:
        device: where it runs.
        input_shape: as the file declares it: numbers, or names of axes that are open.
        outputs: their names and shapes, likewise.

    Raises:
        InputError: no such device.
        ModelError: the device is not installed or does not work here, or onnxruntime cannot load the file.
    """

    def __init__(self, path: Path, *, threads: int = 1, device: str = AUTO) -> None:
        self._asked = path, threads, device
        self._session, self.device = _open_first(path, candidates(device), threads)
        (model_input, *_), outputs = self._session.get_inputs(), self._session.get_outputs()
        self._input: str = model_input.name
        self.input_shape: Declared = list(model_input.shape)
        self.outputs: dict[str, Declared] = {output.name: list(output.shape) for output in outputs}
        self._gathered: dict[tuple[str, ...], Gathering] = {}
        self._gathers = self.device.takes_batches and self._opens_batch(path, threads)

    def __reduce__(self) -> tuple[Any, ...]:
        path, threads, device = self._asked
        return _arrived, (path.name, path.read_bytes(), threads, device)

    def run(self, rows: Array, outputs: tuple[str, ...] | None = None) -> list[Array]:
        """The outputs of these names, all by default, for a prepared input as the file declares it."""
        names = outputs or tuple(self.outputs)
        if not self._gathers:
            return self._run(rows, names)
        gathered = self._gathered.setdefault(names, Gathering(lambda batch: self._run(batch, names)))
        return gathered(rows)

    def _run(self, rows: Array, names: tuple[str, ...]) -> list[Array]:
        arrays: list[Array] = self._session.run(list(names), {self._input: rows})
        return arrays

    def _opens_batch(self, path: Path, threads: int) -> bool:
        """Whether rows of several calls may go together; opens the first axis for it where it says one."""
        first = {axes[0] if axes else None for axes in (self.input_shape, *self.outputs.values())}
        if first == {1}:
            content = with_open_batch(path.read_bytes(), {self._input, *self.outputs}, path)
            try:
                session = _open(content, path, self.device, threads)
                if not self._keeps_apart(session):
                    return False
            except Exception:  # onnxruntime's own: some layer is made for one picture
                return False
            self._session = session
            return True
        return not any(isinstance(axis, int) or axis is None for axis in first) and len(first) == 1

    def _keeps_apart(self, session: "onnxruntime.InferenceSession") -> bool:
        """Whether two pictures in one run give what each gives alone."""
        _, *sides = picture_shape(self.input_shape, side_px=TRIED_PX)
        rows = np.random.default_rng(0).uniform(0, 255, (2, *sides)).astype(np.float32)
        alone = [self._session.run(None, {self._input: row[None]}) for row in rows]
        both = session.run(None, {self._input: rows})
        return all(
            pair.shape == (2, *one.shape[1:]) and np.allclose(pair, np.concatenate([one, other]), SAME, SAME)
            for pair, one, other in zip(both, *alone, strict=True)
        )


def _arrived(name: str, content: bytes, threads: int, device: str) -> Network:
    with tempfile.TemporaryDirectory(prefix="facespace-") as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return Network(path, threads=threads, device=device)


def _open_first(
    path: Path, devices: tuple[Device, ...], threads: int
) -> tuple["onnxruntime.InferenceSession", Device]:
    """On the first of these devices that works; only the processor may stand in for another one."""
    for device in devices:
        session = _open(path, path, device, threads)
        if session.get_providers()[0] == device.provider:
            return session, device
    raise ModelError(
        f"device {devices[-1].name}: {devices[-1].provider} is installed and does not start here, its driver or "
        "libraries are missing; --device cpu works everywhere"
    )


def _open(model: Path | bytes, path: Path, device: Device, threads: int) -> "onnxruntime.InferenceSession":
    import onnxruntime  # a quarter of the start of commands that run no network

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = device.name != "directml"  # which refuses it
    # Idle threads of one session must not spin while another session's threads work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    chosen = [(device.provider, _options(device, threads))]
    try:
        return onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else str(model), options, providers=chosen
        )
    except Exception as error:  # onnxruntime raises its own unrelated classes
        raise ModelError(
            f"{path}: onnxruntime cannot load this model: {str(error).splitlines()[0]}"
        ) from error


def _options(device: Device, threads: int) -> dict[str, str]:
    if device.name != "openvino":
        return dict(device.options)
    cores = os.cpu_count() or 1  # as many calls at once as threads may make
    return {**device.options, "num_streams": str(cores), "num_of_threads": str(threads * cores)}


def picture_shape(declared: list[int | str | None], *, side_px: int) -> tuple[int, int, int, int]:
    """The shape of the smallest batch for an input declared so; sides that the model leaves open are ``side_px``.

    Channels are the last axis where that is declared as three and the second is not, else the second.
    """
    last = len(declared) == 4 and declared[3] == 3 and declared[1] != 3
    rows, columns = (
        side if isinstance(side, int) and side > 0 else side_px
        for side in (declared[1:3] if last else declared[2:4])
    )
    batch = declared[0] if isinstance(declared[0], int) and declared[0] > 0 else 1
    return (batch, rows, columns, 3) if last else (batch, 3, rows, columns)
