"""The models inside the package, and the one door from a name or path to a model file."""

from importlib.resources import files
from pathlib import Path

from facespace.errors import ModelError
from facespace.models.spec import ModelSpec, read_spec

__all__ = ["BUILT_IN", "built_in_models", "find_model"]

BUILT_IN = {"embedder": "facespace-s", "detector": "facespace-detector"}


def weights_folder() -> Path:
    """Where the package keeps its model files."""
    return Path(str(files("facespace.models") / "weights"))


def built_in_models() -> list[ModelSpec]:
    """The specs of all built-in models, by name."""
    return [read_spec(path) for path in sorted(weights_folder().glob("*.onnx"))]


def find_model(model: str | Path | None, task: str) -> Path:
    """The file of a built-in model by name, or of any model by path; None is the built-in one for ``task``.

    Raises:
        ModelError: neither a built-in name nor a file.
    """
    name = BUILT_IN[task] if model is None else str(model)
    built_in = weights_folder() / f"{name}.onnx"
    if Path(name).name == name and built_in.is_file():
        return built_in
    if Path(name).is_file():
        return Path(name)
    known = ", ".join(path.stem for path in sorted(weights_folder().glob("*.onnx")))
    raise ModelError(
        f"{name}: expected a built-in model ({known}) or the path of an ONNX file, found neither"
    )
