"""onnxruntime sessions with explicit threads and providers."""

from pathlib import Path
from typing import TYPE_CHECKING

from facespace.errors import ModelError

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["open_session", "picture_shape"]


def open_session(
    path: Path, *, threads: int = 1, providers: tuple[str, ...] = ("CPUExecutionProvider",)
) -> "onnxruntime.InferenceSession":
    """A session for the model at ``path`` that uses ``threads`` threads a call and may be called from many.

    Raises:
        ModelError: onnxruntime cannot load the file.
    """
    import onnxruntime  # a quarter of the start of commands that run no network

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle threads of one session must not spin while another session's threads work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=list(providers))
    except Exception as error:  # onnxruntime raises its own unrelated classes
        raise ModelError(
            f"{path}: onnxruntime cannot load this model: {str(error).splitlines()[0]}"
        ) from error


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
