"""onnxruntime sessions with explicit threads and providers."""

from pathlib import Path

import onnxruntime

from facespace.errors import ModelError

__all__ = ["open_session"]


def open_session(
    path: Path, *, threads: int = 1, providers: tuple[str, ...] = ("CPUExecutionProvider",)
) -> onnxruntime.InferenceSession:
    """A session for the model at ``path`` that uses ``threads`` threads a call and may be called from many.

    Raises:
        ModelError: onnxruntime cannot load the file.
    """
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
